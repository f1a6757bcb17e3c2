"""The OpenAI SDK, unmodified, gets through the sidecar what it gets from the provider."""

import asyncio
import json

import openai
import pydantic

QUESTION = [{"role": "user", "content": "Why is the sky blue?"}]
WEATHER = [{"role": "user", "content": "What is the weather in Rome?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Weather(pydantic.BaseModel):
    city: str
    warm: bool
    degrees: list[int]


def direct(inside):
    """The same SDK, pointed at the provider."""
    return openai.OpenAI(base_url=f"http://{inside.address}/v1", api_key="unused", max_retries=0)


def text(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_chat(gpt, inside):
    answer = gpt.chat.completions.create(model="small", messages=QUESTION)
    assert answer.choices[0].message.content.startswith("[small:")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0
    assert answer == direct(inside).chat.completions.create(model="small", messages=QUESTION)


def test_every_parameter_arrives(gpt, inside):
    parameters = {
        "temperature": 0.3, "top_p": 0.9, "seed": 7, "stop": ["\n\n"], "presence_penalty": 0.1, "logit_bias": {"50256": -100},
        "max_completion_tokens": 99, "metadata": {"a": "b"}, "user": "somebody", "service_tier": "auto", "store": False,
        "extra_body": {"unknown_to_us": [1, {"deep": None}]},
    }
    gpt.chat.completions.create(model="small", messages=QUESTION, **parameters)
    through = inside.last_body()
    direct(inside).chat.completions.create(model="small", messages=QUESTION, **parameters)
    assert through == inside.last_body()


def test_stream(gpt):
    plain = gpt.chat.completions.create(model="small", messages=QUESTION)
    chunks = list(gpt.chat.completions.create(model="small", messages=QUESTION, stream=True))
    assert text(chunks) == plain.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.choices for chunk in chunks), "the usage chunk is for those who ask"


def test_stream_with_usage(gpt):
    plain = gpt.chat.completions.create(model="small", messages=QUESTION)
    options = {"include_usage": True}
    chunks = list(gpt.chat.completions.create(model="small", messages=QUESTION, stream=True, stream_options=options))
    assert chunks[-1].usage == plain.usage
    assert not chunks[-1].choices


def test_stream_helper(gpt):
    with gpt.chat.completions.stream(model="small", messages=QUESTION) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in kinds and kinds[-1] == "content.done"
    assert final.choices[0].message.content.startswith("[small:")


def test_streams_in_other_line_ends_and_pieces(gpt, inside):
    plain = gpt.chat.completions.create(model="small", messages=QUESTION)
    for fault in ["crlf", "split", "split=3"]:
        inside.script(fault)
        chunks = gpt.chat.completions.create(model="small", messages=QUESTION, stream=True)
        assert text(chunks) == plain.choices[0].message.content, fault


def test_tools(gpt, inside):
    answer = gpt.chat.completions.create(model="small", messages=WEATHER, tools=[TOOL], tool_choice="auto")
    [call] = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    arguments = json.loads(call.function.arguments)
    assert set(arguments) == {"city", "days"}
    assert json.loads(inside.last_body())["tools"] == [TOOL]
    # And back with the result.
    messages = [
        *WEATHER,
        answer.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": json.dumps({"degrees": 21})},
    ]
    answer = gpt.chat.completions.create(model="small", messages=messages, tools=[TOOL], tool_choice="none")
    assert answer.choices[0].message.content
    assert json.loads(inside.last_body())["messages"] == messages


def test_streamed_tools(gpt):
    plain = gpt.chat.completions.create(model="small", messages=WEATHER, tools=[TOOL])
    with gpt.chat.completions.stream(model="small", messages=WEATHER, tools=[TOOL]) as stream:
        [call] = stream.get_final_completion().choices[0].message.tool_calls
    assert call.function.arguments == plain.choices[0].message.tool_calls[0].function.arguments
    assert set(call.function.parsed_arguments) == {"city", "days"}


def test_images(gpt, inside):
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
    ]
    answer = gpt.chat.completions.create(model="small", messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content.startswith("[small:")
    assert json.loads(inside.last_body())["messages"][0]["content"] == content


def test_structured_answers(gpt, inside):
    answer = gpt.chat.completions.parse(model="small", messages=QUESTION, response_format=Weather)
    assert isinstance(answer.choices[0].message.parsed, Weather)
    sent = json.loads(inside.last_body())["response_format"]
    assert sent["type"] == "json_schema" and sent["json_schema"]["strict"]


def test_embeddings(gpt, inside):
    through = gpt.embeddings.create(model="small", input=["a", "b"])
    assert [len(entry.embedding) for entry in through.data] == [1536, 1536]
    assert through == direct(inside).embeddings.create(model="small", input=["a", "b"])


def test_responses(gpt, inside):
    answer = gpt.responses.create(model="small", input="Why?")
    assert answer.output_text.startswith("[small:")
    with gpt.responses.stream(model="small", input="Why?") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert final.output_text == answer.output_text
    parsed = gpt.responses.parse(model="small", input="Why?", text_format=Weather)
    assert isinstance(parsed.output_parsed, Weather)


def test_completions(gpt):
    answer = gpt.completions.create(model="small", prompt="Once upon a time")
    assert answer.choices[0].text.startswith("[small:")


def test_models(gpt):
    listed = [model.id for model in gpt.models.list()]
    assert listed[0] == "auto"
    assert {"small", "small-messages", "big", "hasty"} <= set(listed)
    assert gpt.models.retrieve("small").id == "small"


def test_auto_and_the_reasons_in_the_headers(gpt):
    raw = gpt.chat.completions.with_raw_response.create(model="auto", messages=QUESTION)
    assert raw.headers["x-router-model"] == "small"
    assert raw.headers["x-router-provider"] == "local"
    assert raw.headers["x-router-placement"] == "internal"
    assert raw.headers["x-router-band"] == "internal"
    assert raw.headers["x-router-cache"] == "bypass"
    assert 0 <= float(raw.headers["x-router-complexity"]) <= 1
    assert float(raw.headers["x-router-cost-usd"]) > 0
    answer = raw.parse()
    assert answer._request_id == raw.headers["x-request-id"]
    assert answer.model == "small"


def test_the_provider_that_fails_is_replaced(gpt, inside):
    inside.script("status-503")
    raw = gpt.chat.completions.with_raw_response.create(model="auto", messages=QUESTION)
    assert (raw.headers["x-router-model"], raw.headers["x-router-attempts"]) == ("big", "2")
    assert raw.parse().choices[0].message.content.startswith("[big:")


def test_answers_from_the_cache(gpt, inside):
    ask = {"model": "small", "messages": [{"role": "user", "content": "Keep this."}], "temperature": 0}
    first = gpt.chat.completions.with_raw_response.create(**ask)
    again = gpt.chat.completions.with_raw_response.create(**ask)
    assert (first.headers["x-router-cache"], again.headers["x-router-cache"]) == ("miss", "hit")
    assert first.parse() == again.parse()
    streamed = text(gpt.chat.completions.create(**ask, stream=True))
    assert streamed == first.parse().choices[0].message.content
    with gpt.chat.completions.stream(**ask) as stream:
        assert stream.get_final_completion().choices[0].message.content == streamed
    assert len(inside.requests()) == 1


def test_many_at_once(sidecar, inside):
    async def ask(client, number):
        messages = [{"role": "user", "content": f"number {number}"}]
        plain = await client.chat.completions.create(model="small", messages=messages)
        stream = await client.chat.completions.create(model="small", messages=messages, stream=True)
        chunks = [chunk async for chunk in stream]
        assert text(chunks) == plain.choices[0].message.content
        return plain.choices[0].message.content

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=sidecar.openai_url, api_key="unused", max_retries=0) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(20)))

    answers = asyncio.run(all_of_them())
    assert len(set(answers)) == 20, "each its own"
