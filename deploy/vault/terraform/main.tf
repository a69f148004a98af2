# The same as ../setup.sh. A method that is null is left alone; the methods themselves are yours.
#   module "rotator" {
#     source     = "./deploy/vault/terraform"
#     kubernetes = { namespaces = ["rotator"] }
#   }
terraform {
  required_version = ">= 1.3"
  required_providers {
    vault = {
      source  = "hashicorp/vault"
      version = ">= 4.0"
    }
  }
}

variable "kubernetes" {
  description = "Pods that may log in: service accounts in namespaces."
  type = object({
    mount      = optional(string, "kubernetes")
    accounts   = optional(list(string), ["rotator"])
    namespaces = list(string)
    audience   = optional(string, "vault")
  })
  default = null
}

variable "approle" {
  description = "Hosts that may log in, by the networks that they are in."
  type = object({
    mount = optional(string, "approle")
    cidrs = optional(list(string))
  })
  default = null
}

resource "vault_policy" "rotator" {
  name   = "rotator"
  policy = file("${path.module}/../rotator.hcl")
}

resource "vault_kubernetes_auth_backend_role" "rotator" {
  count = var.kubernetes == null ? 0 : 1

  backend                          = var.kubernetes.mount
  role_name                        = "rotator"
  bound_service_account_names      = var.kubernetes.accounts
  bound_service_account_namespaces = var.kubernetes.namespaces
  audience                         = var.kubernetes.audience
  token_policies                   = [vault_policy.rotator.name]
  token_no_default_policy          = true
  token_ttl                        = 3600
  token_max_ttl                    = 86400
}

resource "vault_approle_auth_backend_role" "rotator" {
  count = var.approle == null ? 0 : 1

  backend                 = var.approle.mount
  role_name               = "rotator"
  bind_secret_id          = true
  secret_id_ttl           = 0
  secret_id_bound_cidrs   = var.approle.cidrs
  token_policies          = [vault_policy.rotator.name]
  token_no_default_policy = true
  token_ttl               = 3600
  token_max_ttl           = 86400
}

output "role_id" {
  description = "What `vault.auth.role_id` is; the secret id is made by hand, on the host."
  value       = var.approle == null ? null : vault_approle_auth_backend_role.rotator[0].role_id
}
