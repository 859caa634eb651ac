# expect: the policy of Python
import asyncio

print(type(asyncio.get_event_loop_policy()).__name__)
