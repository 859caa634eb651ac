"""Work with Blender as an agent does, by the Python package mcp, 1.x or 2.x.

Usage: agent.py pipe PROGRAM | http URL TOKEN
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

import mcp
from mcp import StdioServerParameters


@contextlib.asynccontextmanager
async def connected(kind: str, *where: str) -> AsyncIterator[Any]:
    """Connect to the server, by the newest way that the package has."""
    async with contextlib.AsyncExitStack() as stack:
        if kind == "pipe":
            pipe = StdioServerParameters(command=where[0], args=["mcp"], env=dict(os.environ))
            transport = stdio_client(pipe)
        else:
            http = create_mcp_http_client(headers={"Authorization": f"Bearer {where[1]}"})
            transport = streamable_http_client(where[0], http_client=http)
        if hasattr(mcp, "Client"):
            client = await stack.enter_async_context(mcp.Client(transport))
            print("revision", client.protocol_version)
        else:
            streams = await stack.enter_async_context(transport)
            client = await stack.enter_async_context(mcp.ClientSession(streams[0], streams[1]))
            print("revision", (await client.initialize()).protocolVersion)
        yield client


def failed(result: Any) -> bool:
    """Return whether an answer is an error, in both versions of the package."""
    return bool(getattr(result, "is_error", getattr(result, "isError", None)))


async def main() -> None:
    """Work, and print what came of it."""
    async with connected(sys.argv[1], *sys.argv[2:]) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert "run_python" in names, names

        first = await client.call_tool("run_python", {"code": "import bpy\nlegs = 4\nprint('hi')"})
        assert not failed(first) and "hi" in first.content[0].text, first
        session = first.meta["blendtray/session"]

        def code(text: str, **more: Any) -> dict[str, Any]:
            return {"code": text, "session": session, **more}

        wrong = await client.call_tool("run_python", code("print('before')\n1 / 0"))
        assert failed(wrong) and "before" in wrong.content[0].text, wrong
        assert "ZeroDivisionError" in wrong.content[0].text, wrong

        slow = code("import time\ntime.sleep(1)\nprint(legs)", wait=0.1)
        long = await client.call_tool("run_python", slow)
        assert "wait_run" in long.content[0].text, long
        end = await client.call_tool("wait_run", {"run": long.meta["blendtray/run"]})
        assert not failed(end) and "output:\n4" in end.content[0].text, end

        uris = [str(one.uri) for one in (await client.list_resources()).resources]
        assert "blendtray://status" in uris, uris
        status = await client.read_resource("blendtray://status")
        assert "blenders" in status.contents[0].text, status
        prompt = await client.get_prompt("fix_script", {"run": wrong.meta["blendtray/run"]})
        assert "api_docs" in prompt.messages[0].content.text, prompt
        await client.call_tool("sessions", {"end": session})
        print("all is well")


asyncio.run(main())
