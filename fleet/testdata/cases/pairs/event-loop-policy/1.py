# expect: set
import asyncio


class Policy(asyncio.DefaultEventLoopPolicy):
    pass


asyncio.set_event_loop_policy(Policy())
print("set")
