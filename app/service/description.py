"""The service in OpenAPI 3.1, for people's clients and for tests that try everything."""

from importlib.metadata import version
from typing import Any

from .clips import CLASSIFICATION_FORMATS, GRANULARITIES
from .corrected import KINDS
from .transcripts import FORMATS

ERROR = {"$ref": "#/components/schemas/Error"}
WHY = {400: "A field or the file is not as it should be", 401: "No valid key",
       403: "A page of another site, or a name of another host", 404: "No such model",
       405: "Another method is needed", 408: "The body did not come in time", 413: "Larger or longer than allowed",
       415: "The body is no multipart/form-data", 429: "Too many wait already; Retry-After says when to try again",
       500: "The server failed", 503: "A worker was lost; try again", 504: "Not done in time", 507: "The disk is full"}


def description() -> dict[str, Any]:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Earsight", "version": version("earsight")},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Error": _object({"error": _object({"message": _text(), "type": _text(), "param": _optional(_text()),
                                                    "code": _optional(_text())})}),
                "Transcription": _object({"text": _text()}),
                "Classification": _object({"label": _text(), "duration": {"type": "number"}, "model": _text(),
                                           "probabilities": {"type": "object"}}),
                "Model": _object({"id": _text(), "object": _text(), "created": {"type": "integer"},
                                  "owned_by": _text()}),
            },
        },
        "security": [{}, {"key": []}],
        "paths": {
            "/health": {"get": _operation("Whether the service runs", _json({"type": "object"}), ())},
            "/ready": {"get": _operation("Whether a worker is ready", _json({"type": "object"}), (503,))},
            "/metrics": {"get": _operation("Figures, as Prometheus reads them", {"text/plain": {}}, (401,))},
            "/v1/models": {"get": _operation("The models", _json(_object({
                "object": _text(), "data": {"type": "array", "items": _named("Model")}})), (401,))},
            "/v1/models/{name}": {
                "get": _operation("One model", _json(_named("Model")), (401, 404)),
                "parameters": [{"name": "name", "in": "path", "required": True, "schema": _text()}]},
            "/v1/audio/transcriptions": {"post": _upload("What is said in a file", {
                "model": _text(), "language": _text(), "prompt": _text(),
                "response_format": {"type": "string", "enum": [*FORMATS]},
                "temperature": {"type": "number", "minimum": 0, "maximum": 1},
                "stream": {"type": "boolean"},
                "timestamp_granularities[]": {"type": "array", "items": {"enum": [*GRANULARITIES]}},
            }, {**_json(_named("Transcription")), "text/event-stream": {},
                **{kind.partition(";")[0]: {} for kind in FORMATS.values() if "json" not in kind}})},
            "/v1/video/classifications": {"post": _upload("What is done in a file", {
                "model": _text(), "response_format": {"type": "string", "enum": [*CLASSIFICATION_FORMATS]},
                "top": {"type": "integer", "minimum": 1, "maximum": 1000},
            }, {**_json(_named("Classification")),
                **{kind.partition(";")[0]: {} for kind in CLASSIFICATION_FORMATS.values() if "json" not in kind}})},
            "/v1/exports": {"post": _upload("A transcript or timeline, of JSON, in another format", {
                "response_format": {"type": "string", "enum": [*KINDS]},
            }, {kind.partition(";")[0]: {} for kind in KINDS.values()})},
        },
    }


def _operation(summary: str, content: dict[str, Any], errors: tuple[int, ...]) -> dict[str, Any]:
    refused = {str(status): {"description": WHY[status], "content": {"application/json": {"schema": ERROR}}}
               for status in (*errors, 403)}
    return {"summary": summary, "responses": {"200": {"description": summary, "content": content}, **refused}}


def _upload(summary: str, fields: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": ["file"], "additionalProperties": False,
              "properties": {"file": {"type": "string", "format": "binary"}, **fields}}
    return {**_operation(summary, content, tuple(WHY)),
            "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _named(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [*properties], "properties": properties}


def _text() -> dict[str, str]:
    return {"type": "string"}


def _optional(schema: dict[str, str]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
