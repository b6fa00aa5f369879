"""The refusals that only exist because somebody asks over HTTP."""

from __future__ import annotations

from gateway.aggregates.refusals import Refusal, Unavailable


class AuthenticationRequired(Refusal):
    code = "authentication_required"
    gate = "auth"


class InvalidToken(Refusal):
    code = "invalid_token"
    gate = "auth"


class InvalidInternalToken(Refusal):
    code = "invalid_internal_token"
    gate = "auth"


class TokenReplayed(Refusal):
    code = "token_replayed"
    gate = "auth"


class AuthUnavailable(Unavailable):
    code = "auth_unavailable"
    gate = "auth"


class PermissionDenied(Refusal):
    code = "permission_denied"
    gate = "auth"


class NoStrategyAccess(Refusal):
    code = "no_strategy_access"


class RateLimited(Refusal):
    code = "rate_limited"
    gate = "rate_limit"


class BodyTooLarge(Refusal):
    code = "body_too_large"


class BodyTooSlow(Refusal):
    code = "request_timeout"


class StaleRequest(Refusal):
    code = "stale_request"


class NotFound(Refusal):
    code = "not_found"


class StrategyNotFound(Refusal):
    code = "strategy_not_found"


class PerformanceDisabled(Refusal):
    code = "performance_disabled"


class MfaRequired(Refusal):
    code = "mfa_required"
    gate = "mfa"


class MfaExpired(Refusal):
    code = "mfa_expired"
    gate = "mfa"


class MfaInvalid(Refusal):
    code = "mfa_invalid"
    gate = "mfa"


class TokenMismatch(Refusal):
    code = "token_mismatch"
    gate = "mfa"


class MfaUnavailable(Unavailable):
    code = "mfa_unavailable"
    gate = "mfa"


class WebhookSignatureMissing(Refusal):
    code = "webhook_signature_missing"
    gate = "signature"


class WebhookSignatureInvalid(Refusal):
    code = "webhook_signature_invalid"
    gate = "signature"


class WebhookUnavailable(Unavailable):
    code = "webhook_unavailable"
    gate = "signature"


class WebhookBodyInvalid(Refusal):
    code = "webhook_body_invalid"
