"""Refusals in the shape of OpenAI's: `{"error": {"message", "type", "param", "code"}}`."""

from collections.abc import Mapping

from starlette.responses import JSONResponse

KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """A request that is refused or failed, and how the client is told.

    Args:
        status: of HTTP.
        message: for a person.
        code: for a program.
        param: the field that is wrong.
        headers: further ones of the response.
    """

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None,
                 headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.headers = dict(headers or {})

    @property
    def plain(self) -> dict:
        kind = KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"message": self.message, "type": kind, "param": self.param, "code": self.code}

    def response(self) -> JSONResponse:
        return JSONResponse({"error": self.plain}, self.status, self.headers)
