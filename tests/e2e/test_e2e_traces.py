"""The real program, and a collector that takes its spans."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from e2e_stage import staged
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as stage:
        key = stage.arize.seed_user_key("ci")
        stage.add_policy("ci", key, max_age="30d")
        stage.put("ci", api_key=key[1])
        yield stage


class Collector(HTTPServer):
    """Takes spans as OTLP over HTTP."""

    def __init__(self):
        self.bodies = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def __enter__(self):
        Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def resources(self):
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [resource for request in requests for resource in request.resource_spans]

    @property
    def spans(self):
        return [
            span
            for resource in self.resources
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_pass_sends_its_spans_as_part_of_the_trace_that_it_is_told(stage):
    with Collector() as collector:
        stage.variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
            "TRACEPARENT": f"00-{TRACE}-b7ad6b7169203331-01",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
        }
        run = stage.run("--rotate", "ci")

    assert (0, "") == (run.code, run.err)
    assert {TRACE} == {span.trace_id.hex() for span in collector.spans}
    names = [span.name for span in collector.spans]
    assert {"rotation", "preflight", "record", "mint", "store", "verify"} == set(names)
    told = {one.key: one.value.string_value for one in collector.resources[0].resource.attributes}
    assert ("rotator", "test") == (told["service.name"], told["deployment.environment"])
    bodies = b"".join(collector.bodies)
    for key in stage.arize.keys:
        assert key.raw[8:-5].encode() not in bodies


def test_nothing_is_loaded_when_nobody_wants_traces(stage):
    script = (
        "import sys; from rotator.cli import main;"
        f"code = main(['run', '--rotate', 'ci', '--config', {str(stage.config)!r}]);"
        "print(sorted(name for name in sys.modules if 'opentelemetry' in name), file=sys.stderr);"
        "sys.exit(code)"
    )
    process = stage.start(program=("-c", script))
    _, err = process.communicate(timeout=60)

    assert (0, "[]\n") == (process.returncode, err)


def test_a_collector_that_is_gone_keeps_nobody_from_rotating(stage):
    stage.variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    run = stage.run("--rotate", "ci")

    assert 0 == run.code
    assert stage.held("ci") != stage.raws["ci"]
    assert 1 == len(run.named("rotation.completed"))
