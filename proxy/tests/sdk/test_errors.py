"""What goes wrong is raised as the SDK's own exception, and retried only where that can help."""

import anthropic
import openai
import pytest

QUESTION = [{"role": "user", "content": "Why?"}]
SDKS = ["openai", "anthropic"]


class Caller:
    """One of the SDKs, so that a test is written once for both."""

    def __init__(self, name, sidecar):
        self.name, self.sidecar = name, sidecar
        self.errors = openai if name == "openai" else anthropic
        self.small = "small" if name == "openai" else "small-messages"
        self.hasty = "hasty" if name == "openai" else "hasty-messages"
        self.big = "big" if name == "openai" else "big-messages"

    def ask(self, model=None, messages=QUESTION, max_retries=0, api_key="unused", headers=None, sidecar=None):
        sidecar = sidecar or self.sidecar
        options = {"api_key": api_key, "max_retries": max_retries, "default_headers": headers or {}}
        if self.name == "openai":
            with openai.OpenAI(base_url=sidecar.openai_url, **options) as client:
                answer = client.chat.completions.create(model=model or self.small, messages=messages)
                return answer.choices[0].message.content
        with anthropic.Anthropic(base_url=sidecar.anthropic_url, **options) as client:
            answer = client.messages.create(model=model or self.small, max_tokens=100, messages=messages)
            return answer.content[0].text

    def denied(self):
        endpoint = "chat_completions" if self.name == "openai" else "messages"
        return self.sidecar.metric("requests_total", 'outcome="denied"', f'endpoint="{endpoint}"')


@pytest.fixture(params=SDKS)
def caller(request, sidecar, inside, outside):
    return Caller(request.param, sidecar)


def code(error):
    """The router's stable code, in the body and in the header."""
    stated = error.body["error"] if "error" in error.body else error.body
    assert error.response.headers["x-router-error"] == stated["code"]
    return stated["code"]


def test_a_bad_request(caller, inside):
    with pytest.raises(caller.errors.BadRequestError) as raised:
        caller.ask(messages=[])
    assert code(raised.value) == "invalid_request"
    assert inside.requests() == []


def test_an_unknown_model(caller, inside):
    with pytest.raises(caller.errors.NotFoundError) as raised:
        caller.ask(model=caller.small.replace("small", "smal"))
    assert code(raised.value) == "model_not_found"
    assert caller.small in str(raised.value), "near names are listed"


def test_a_wrong_key(caller, guarded, inside):
    for key in ["the-wrong-key", "unused"]:
        with pytest.raises(caller.errors.AuthenticationError) as raised:
            caller.ask(api_key=key, sidecar=guarded)
        assert code(raised.value) == "invalid_key"
    assert inside.requests() == []
    assert caller.ask(api_key="the-right-key", sidecar=guarded).startswith("[small:")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-router-tags": "x=closed"}, "policy_denied"),
        ({"x-router-max-cost-usd": "0.0000000001"}, "cost_limit"),
        ({"x-router-placement": "internal"}, "placement_unavailable"),
    ],
)
def test_a_denial_is_not_retried(caller, inside, outside, headers, expected):
    before = caller.denied()
    with pytest.raises(caller.errors.PermissionDeniedError) as raised:
        caller.ask(model=caller.big, headers=headers, max_retries=2)
    assert code(raised.value) == expected
    assert caller.denied() == before + 1
    assert inside.requests() + outside.requests() == []


def test_a_body_that_is_too_large(caller, inside):
    with pytest.raises(caller.errors.APIStatusError) as raised:
        caller.ask(messages=[{"role": "user", "content": "x" * (11 << 20)}])
    assert raised.value.status_code == 413
    assert code(raised.value) == "body_too_large"
    assert inside.requests() == []


@pytest.mark.parametrize(
    ("status", "exception"),
    [
        (400, "BadRequestError"),
        (403, "PermissionDeniedError"),
        (409, "ConflictError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (503, "InternalServerError"),
        (529, "InternalServerError"),
    ],
)
def test_a_providers_own_error_passes(caller, inside, status, exception):
    inside.script(f"status-{status}", always=True)
    with pytest.raises(getattr(caller.errors, exception)) as raised:
        caller.ask()
    assert raised.value.status_code == status
    assert "x-router-error" not in raised.value.response.headers, "it is not the router's own"
    if status < 429:
        assert len(inside.requests()) == 1, "who is at fault is told so once"


def test_a_short_rate_limit_is_waited_out(caller, inside):
    inside.script("status-429=0")
    assert caller.ask(max_retries=2).startswith("[small:")
    assert len(inside.requests()) == 2


@pytest.mark.parametrize("fault", ["hang-up", "close", "rst", "short-body", "end", "redirect"])
def test_a_provider_that_breaks_off(caller, inside, fault):
    inside.script(fault, always=True)
    with pytest.raises(caller.errors.InternalServerError) as raised:
        caller.ask()
    assert (raised.value.status_code, code(raised.value)) == (502, "upstream_error")


@pytest.mark.parametrize("fault", ["slow-headers=3600000", "stall=10B"])
def test_a_provider_that_is_silent(caller, inside, fault):
    inside.script(fault, always=True)
    with pytest.raises(caller.errors.InternalServerError) as raised:
        caller.ask(model=caller.hasty)
    assert (raised.value.status_code, code(raised.value)) == (504, "upstream_timeout")


def test_an_unknown_path(sidecar):
    with openai.OpenAI(base_url=sidecar.openai_url, api_key="unused", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError) as raised:
            client.files.list()
    assert code(raised.value) == "not_found"
    with anthropic.Anthropic(base_url=sidecar.anthropic_url, api_key="unused", max_retries=0) as client:
        with pytest.raises(anthropic.NotFoundError) as raised:
            client.messages.batches.list()
    assert code(raised.value) == "not_found"
