"""The Anthropic SDK, unmodified, gets through the sidecar what it gets from the provider."""

import asyncio
import json

import anthropic

QUESTION = [{"role": "user", "content": "Why is the sky blue?"}]
WEATHER = [{"role": "user", "content": "What is the weather in Rome?"}]
TOOL = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ASK = {"model": "small-messages", "max_tokens": 100, "messages": QUESTION}


def direct(inside):
    """The same SDK, pointed at the provider."""
    return anthropic.Anthropic(base_url=f"http://{inside.address}", api_key="unused", max_retries=0)


def test_messages(claude, inside):
    answer = claude.messages.create(**ASK)
    assert answer.content[0].text.startswith("[small:")
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens > 0
    assert answer == direct(inside).messages.create(**{**ASK, "model": "small"})


def test_every_parameter_arrives(claude, inside):
    parameters = {
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "stop_sequences": ["\n\n"],
        "metadata": {"user_id": "somebody"},
        "extra_body": {"temperature": 0.3, "unknown_to_us": [1, {"deep": None}]},
    }
    claude.messages.create(**ASK, **parameters)
    through = inside.last_body()
    direct(inside).messages.create(**{**ASK, "model": "small"}, **parameters)
    assert through == inside.last_body()


def test_stream(claude):
    plain = claude.messages.create(**ASK)
    events = list(claude.messages.create(**ASK, stream=True))
    assert [events[0].type, events[-1].type] == ["message_start", "message_stop"]
    deltas = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert "".join(deltas) == plain.content[0].text


def test_stream_helper(claude):
    plain = claude.messages.create(**ASK)
    with claude.messages.stream(**ASK) as stream:
        assert "".join(stream.text_stream) == plain.content[0].text
        final = stream.get_final_message()
    assert final.usage.output_tokens == plain.usage.output_tokens
    assert final.stop_reason == "end_turn"


def test_streams_in_other_line_ends_and_pieces(claude, inside):
    plain = claude.messages.create(**ASK)
    for fault in ["crlf", "split", "split=3"]:
        inside.script(fault)
        with claude.messages.stream(**ASK) as stream:
            assert stream.get_final_text() == plain.content[0].text, fault


def test_tools(claude, inside):
    ask = {**ASK, "messages": WEATHER, "tools": [TOOL]}
    answer = claude.messages.create(**ask)
    assert answer.stop_reason == "tool_use"
    [call] = [block for block in answer.content if block.type == "tool_use"]
    assert call.name == "get_weather" and set(call.input) == {"city", "days"}
    assert json.loads(inside.last_body())["tools"] == [TOOL]
    with claude.messages.stream(**ask) as stream:
        [streamed] = [block for block in stream.get_final_message().content if block.type == "tool_use"]
    assert streamed.input == call.input
    # And back with the result.
    messages = [
        *WEATHER,
        {"role": "assistant", "content": [call.model_dump(include={"type", "id", "name", "input"})]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}]},
    ]
    claude.messages.create(**{**ask, "messages": messages, "tool_choice": {"type": "none"}})
    assert json.loads(inside.last_body())["messages"] == messages


def test_images(claude, inside):
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
    ]
    answer = claude.messages.create(**{**ASK, "messages": [{"role": "user", "content": content}]})
    assert answer.content[0].text.startswith("[small:")
    assert json.loads(inside.last_body())["messages"][0]["content"] == content


def test_count_tokens(claude):
    counted = claude.messages.count_tokens(model="small-messages", messages=QUESTION)
    assert counted.input_tokens > 0


def test_beta_headers_and_queries_pass(claude, inside):
    claude.beta.messages.create(**ASK, betas=["some-beta-2025-01-01"])
    seen = inside.requests()[-1]
    headers = dict(seen["headers"])
    assert "some-beta-2025-01-01" in headers["anthropic-beta"]
    assert headers["anthropic-version"]
    assert "x-api-key" not in headers, "the caller's key stays here"


def test_models(claude):
    listed = [model.id for model in claude.models.list()]
    assert listed[0] == "auto"
    assert {"small-messages", "big-messages"} <= set(listed)
    assert claude.models.retrieve("big-messages").id == "big-messages"


def test_auto_and_the_reasons_in_the_headers(claude):
    raw = claude.messages.with_raw_response.create(**{**ASK, "model": "auto"})
    assert raw.headers["x-router-model"] == "small-messages"
    assert raw.headers["x-router-placement"] == "internal"
    assert 0 <= float(raw.headers["x-router-complexity"]) <= 1
    assert raw.parse().content[0].text.startswith("[small:")


def test_the_provider_that_fails_is_replaced(claude, inside):
    inside.script("status-529")
    raw = claude.messages.with_raw_response.create(**{**ASK, "model": "auto"})
    assert (raw.headers["x-router-model"], raw.headers["x-router-attempts"]) == ("big-messages", "2")


def test_answers_from_the_cache(claude, inside):
    ask = {**ASK, "extra_body": {"temperature": 0}, "messages": [{"role": "user", "content": "Keep this."}]}
    first = claude.messages.with_raw_response.create(**ask)
    again = claude.messages.with_raw_response.create(**ask)
    assert (first.headers["x-router-cache"], again.headers["x-router-cache"]) == ("miss", "hit")
    assert first.parse() == again.parse()
    with claude.messages.stream(**ask) as stream:
        assert stream.get_final_text() == first.parse().content[0].text
    assert len(inside.requests()) == 1


def test_many_at_once(sidecar, inside):
    async def ask(client, number):
        ask = {**ASK, "messages": [{"role": "user", "content": f"number {number}"}]}
        plain = await client.messages.create(**ask)
        async with client.messages.stream(**ask) as stream:
            assert await stream.get_final_text() == plain.content[0].text
        return plain.content[0].text

    async def all_of_them():
        async with anthropic.AsyncAnthropic(base_url=sidecar.anthropic_url, api_key="unused", max_retries=0) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(20)))

    answers = asyncio.run(all_of_them())
    assert len(set(answers)) == 20, "each its own"
