"""A stream that died raises in the SDK, whatever killed it and however it is read."""

import asyncio
import time

import anthropic
import openai
import pytest

from system import POLICY, Sidecar, Upstream

QUESTION = [{"role": "user", "content": "Why is the sky blue?"}]
DEATHS = ["rst=5", "close=5", "end=5", "rst=900B", "close=900B", "end=900B", "no-terminator", "invalid-utf8", "error-event=4"]


def by_chunks(client, model, seen):
    for chunk in client.chat.completions.create(model=model, messages=QUESTION, stream=True):
        seen.append(chunk.choices[0].delta.content or "")


def by_chat_helper(client, model, seen):
    with client.chat.completions.stream(model=model, messages=QUESTION) as stream:
        seen.extend(event.delta for event in stream if event.type == "content.delta")
        stream.get_final_completion()


def by_response_events(client, model, seen):
    for event in client.responses.create(model=model, input="Why?", stream=True):
        seen.append(getattr(event, "delta", ""))


def by_response_helper(client, model, seen):
    with client.responses.stream(model=model, input="Why?") as stream:
        seen.extend(getattr(event, "delta", "") for event in stream)
        stream.get_final_response()


def by_completions(client, model, seen):
    for chunk in client.completions.create(model=model, prompt="Once", stream=True):
        seen.append(chunk.choices[0].text)


def by_events(client, model, seen):
    for event in client.messages.create(model=model, max_tokens=100, messages=QUESTION, stream=True):
        seen.append(event.delta.text if event.type == "content_block_delta" else "")


def by_message_helper(client, model, seen):
    with client.messages.stream(model=model, max_tokens=100, messages=QUESTION) as stream:
        seen.extend(stream.text_stream)
        stream.get_final_message()


GPT = [by_chunks, by_chat_helper, by_response_events, by_response_helper, by_completions]
CLAUDE = [by_events, by_message_helper]


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("read", GPT)
def test_openai_raises(gpt, inside, read, death):
    inside.script(death)
    seen = []
    with pytest.raises(openai.APIError) as raised:
        read(gpt, "small", seen)
    assert not isinstance(raised.value, openai.APIConnectionError), "an answer that says so, not a broken connection"
    if not death.startswith("invalid"):
        assert seen, "what came before is not lost"
    if not death.startswith("error-event"):
        assert raised.value.code == "upstream_error"


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("read", CLAUDE)
def test_anthropic_raises(claude, inside, read, death):
    inside.script(death)
    seen = []
    with pytest.raises(anthropic.APIStatusError) as raised:
        read(claude, "small-messages", seen)
    assert seen or death.startswith("invalid")
    if not death.startswith("error-event"):
        assert raised.value.body["error"]["code"] == "upstream_error"


def test_silence_raises(gpt, claude, inside):
    inside.script("stall=4", times=2)
    with pytest.raises(openai.APIError) as raised:
        by_chunks(gpt, "hasty", [])
    assert raised.value.code == "upstream_timeout"
    with pytest.raises(anthropic.APIStatusError) as raised:
        by_events(claude, "hasty-messages", [])
    assert raised.value.body["error"]["code"] == "upstream_timeout"


def test_async_clients_raise(sidecar, inside):
    async def read():
        async with openai.AsyncOpenAI(base_url=sidecar.openai_url, api_key="unused", max_retries=0) as client:
            stream = await client.chat.completions.create(model="small", messages=QUESTION, stream=True)
            with pytest.raises(openai.APIError):
                async for _ in stream:
                    pass
        async with anthropic.AsyncAnthropic(base_url=sidecar.anthropic_url, api_key="unused", max_retries=0) as client:
            with pytest.raises(anthropic.APIStatusError):
                async with client.messages.stream(model="small-messages", max_tokens=100, messages=QUESTION) as stream:
                    await stream.get_final_message()

    for death in DEATHS:
        inside.script(death, times=2)
        asyncio.run(read())


@pytest.mark.parametrize("offset", [1, 2, 7])
def test_a_killed_provider_raises(tmp_path, offset):
    """The provider waits in mid-stream and is killed there."""
    for sdk in ["openai", "anthropic"]:
        upstream = Upstream("mortal", "small")
        policy = POLICY.format(inside=upstream.address, outside=upstream.address)
        sidecar = Sidecar(tmp_path, policy)
        try:
            upstream.script(f"stall={offset}")
            if sdk == "openai":
                client = openai.OpenAI(base_url=sidecar.openai_url, api_key="unused", max_retries=0)
                stream = client.chat.completions.create(model="small", messages=QUESTION, stream=True)
                error = openai.APIError
            else:
                client = anthropic.Anthropic(base_url=sidecar.anthropic_url, api_key="unused", max_retries=0)
                stream = client.messages.create(
                    model="small-messages", max_tokens=100, messages=QUESTION, stream=True
                )
                error = anthropic.APIStatusError
            next(stream)
            upstream.kill()
            with pytest.raises(error):
                list(stream)
            client.close()
        finally:
            sidecar.stop()
            upstream.kill()


def wait_until(so):
    """Looks again until it is so; only a defect lets the time run out."""
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline, "what the test waits for does not happen"
        time.sleep(0.01)


def test_who_leaves_lets_the_provider_go(gpt, claude, inside):
    before = inside.stats()["cancelled"]
    inside.script("stall=3", times=2)
    stream = gpt.chat.completions.create(model="small", messages=QUESTION, stream=True)
    next(stream)
    stream.close()
    wait_until(lambda: inside.stats()["cancelled"] == before + 1)
    with claude.messages.stream(model="small-messages", max_tokens=100, messages=QUESTION) as stream:
        next(iter(stream))
    wait_until(lambda: inside.stats()["cancelled"] == before + 2)
    assert inside.stats()["in_flight"] == 0
