"""What every test gets: two providers, a sidecar over them, and the SDKs pointed at it."""

import anthropic
import openai
import pytest

from system import POLICY, TENANTS, Sidecar, Upstream


@pytest.fixture(scope="session")
def providers():
    started = []
    try:
        started.append(Upstream("local", "small"))
        started.append(Upstream("cloud", "big"))
        yield started
    finally:
        for upstream in started:
            upstream.stop()


@pytest.fixture
def inside(providers):
    """The internal provider, without faults and without memory of earlier tests."""
    providers[0].reset()
    return providers[0]


@pytest.fixture
def outside(providers):
    providers[1].reset()
    return providers[1]


@pytest.fixture(scope="session")
def policy(providers):
    inside, outside = providers
    return POLICY.format(inside=inside.address, outside=outside.address)


@pytest.fixture
def sidecar(policy, tmp_path):
    """One for each test: what it has learned of failing providers, and what it may still retry, is its own affair."""
    sidecar = Sidecar(tmp_path, policy)
    yield sidecar
    sidecar.stop()


@pytest.fixture(scope="session")
def guarded(policy, tmp_path_factory):
    """A sidecar that asks for a key."""
    sidecar = Sidecar(tmp_path_factory.mktemp("guarded"), policy + TENANTS)
    yield sidecar
    sidecar.stop()


@pytest.fixture
def gpt(sidecar, inside, outside):
    """The OpenAI SDK. It does not retry unless a test asks it to."""
    with openai.OpenAI(base_url=sidecar.openai_url, api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(sidecar, inside, outside):
    """The Anthropic SDK."""
    with anthropic.Anthropic(base_url=sidecar.anthropic_url, api_key="unused", max_retries=0) as client:
        yield client
