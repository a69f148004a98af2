{{/* Labels of everything. */}}
{{- define "rotator.labels" -}}
{{ include "rotator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What the pods of this release are found by. */}}
{{- define "rotator.selector" -}}
app.kubernetes.io/name: rotator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The same of the pods that work, without the one of `helm test`. */}}
{{- define "rotator.workers" -}}
{{ include "rotator.selector" . }}
app.kubernetes.io/component: {{ .Values.mode }}
{{- end }}

{{/* The release's own name in what it makes. */}}
{{- define "rotator.name" -}}
{{ ternary .Release.Name (printf "%s-rotator" .Release.Name) (contains "rotator" .Release.Name) | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "rotator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Whether the page for health and metrics is on; a pass is over before anybody could ask. */}}
{{- define "rotator.http" -}}
{{- if and .Values.http.enabled (ne .Values.mode "cronjob") }}on{{ end -}}
{{- end }}

{{/* Whether minted keys are kept, sealed, beyond the container; those of a pass would go with its pod. */}}
{{- define "rotator.spool" -}}
{{- if and .Values.spool.enabled (ne .Values.mode "cronjob") }}on{{ end -}}
{{- end }}

{{/* A container and its volumes, as restricted Pod Security has them. */}}
{{- define "rotator.container" -}}
name: rotator
image: {{ include "rotator.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
  seccompProfile: {type: RuntimeDefault}
resources: {{- toYaml .Values.resources | nindent 2 }}
{{- if or (include "rotator.http" .) (include "rotator.spool" .) .Values.extraEnv }}
env:
  {{- if include "rotator.http" . }}
  - {name: ROTATOR_HTTP__LISTEN, value: "0.0.0.0:{{ .Values.http.port }}"}
  {{- if .Values.http.tokenSecret }}
  - {name: ROTATOR_HTTP__TOKEN, value: '{"file": "/run/secrets/http/token"}'}
  {{- end }}
  {{- end }}
  {{- if include "rotator.spool" . }}
  - {name: ROTATOR_SPOOL__DIRECTORY, value: /var/lib/rotator/spool}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
volumeMounts:
  - {name: rotator-config, mountPath: /etc/rotator, readOnly: true}
  - {name: rotator-vault, mountPath: /run/secrets/vault, readOnly: true}
  {{- if .Values.arizeSecret }}
  - {name: rotator-arize, mountPath: /run/secrets/arize, readOnly: true}
  {{- end }}
  {{- if and (include "rotator.http" .) .Values.http.tokenSecret }}
  - {name: rotator-http, mountPath: /run/secrets/http, readOnly: true}
  {{- end }}
  {{- if include "rotator.spool" . }}
  - {name: rotator-spool, mountPath: /var/lib/rotator}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* A daemon's additions to its container. */}}
{{- define "rotator.daemon" -}}
args: [run]
{{- if include "rotator.http" . }}
ports:
  - {name: rotator-http, containerPort: {{ .Values.http.port }}}
# Not well is a loop that does not turn, and nothing else: a restart does not bring Vault back.
livenessProbe:
  httpGet: {path: /livez, port: rotator-http}
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}
{{- end }}

{{- define "rotator.volumes" -}}
- name: rotator-config
  configMap: {name: {{ include "rotator.name" . }}}
- name: rotator-vault
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          path: token
          audience: {{ .Values.vaultToken.audience }}
          expirationSeconds: {{ .Values.vaultToken.expirationSeconds }}
{{- if .Values.arizeSecret }}
- name: rotator-arize
  secret: {secretName: {{ .Values.arizeSecret }}, defaultMode: 0440}
{{- end }}
{{- if and (include "rotator.http" .) .Values.http.tokenSecret }}
- name: rotator-http
  secret: {secretName: {{ .Values.http.tokenSecret }}, defaultMode: 0440}
{{- end }}
{{- if include "rotator.spool" . }}
- name: rotator-spool
  emptyDir: {sizeLimit: 8Mi}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What a pod has beside its containers. Its annotation replaces it when the configuration changes. */}}
{{- define "rotator.podMetadata" -}}
labels:
  {{- include "rotator.labels" . | nindent 2 }}
  app.kubernetes.io/component: {{ .Values.mode }}
  {{- with .Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/config: {{ toYaml .Values.config | sha256sum }}
  {{- with .Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "rotator.podSpec" -}}
serviceAccountName: {{ .Values.serviceAccount.name }}
automountServiceAccountToken: {{ not (empty .Values.restarts) }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "rotator.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}
