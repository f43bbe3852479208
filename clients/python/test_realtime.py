"""Realtime with the official client: broadcast, presence, changed rows."""

import asyncio
import unittest
import uuid

from house import ANON_KEY, PASSWORD, URL, address
from supabase import acreate_client

WAIT = 20


def awaited():
    """A future, and what brings its first value."""
    future = asyncio.get_running_loop().create_future()
    return future, lambda *found: None if future.done() else future.set_result(found[0] if found else None)


async def subscribed(channel):
    future, bring = awaited()
    await channel.subscribe(lambda status, error: bring((str(status), error)))
    status, error = await asyncio.wait_for(future, WAIT)
    if "SUBSCRIBED" not in status:
        raise AssertionError(f"{status}: {error}")


class Realtime(unittest.IsolatedAsyncioTestCase):
    async def test_broadcast_and_presence(self):
        ann, bob = await acreate_client(URL, ANON_KEY), await acreate_client(URL, ANON_KEY)
        name = f"room-{uuid.uuid4()}"
        heard, hear = awaited()
        synced, sync = awaited()
        his = bob.channel(name).on_broadcast("hi", hear)
        hers = ann.channel(name, {"config": {"presence": {"key": "ann", "enabled": True}, "broadcast": {"ack": False, "self": False}, "private": False}})
        hers.on_presence_join(lambda key, *_: sync(key))
        await subscribed(his)
        await subscribed(hers)
        await hers.send_broadcast("hi", {"n": 1})
        said = await asyncio.wait_for(heard, WAIT)
        self.assertEqual({"n": 1}, said["payload"])
        await hers.track({"at": "office"})
        self.assertEqual("ann", await asyncio.wait_for(synced, WAIT))
        await ann.remove_all_channels()
        await bob.remove_all_channels()

    async def test_changed_rows(self):
        client = await acreate_client(URL, ANON_KEY)
        await client.auth.sign_up({"email": address("ann"), "password": PASSWORD})
        await client.rpc("create_company_with_owner", {"name": f"Ann {uuid.uuid4()}", "industry": "home_services"}).execute()
        session = (await client.auth.refresh_session()).session
        await client.realtime.set_auth(session.access_token)
        live, lives = awaited()
        changed, change = awaited()
        channel = client.channel(f"rows-{uuid.uuid4()}")
        channel.on_postgres_changes("INSERT", schema="public", table="customers", callback=change)
        channel.on_system(lives)
        await subscribed(channel)
        await asyncio.wait_for(live, WAIT)
        await client.table("customers").insert({"first_name": "Ben", "phone": "+15550100"}).execute()
        told = await asyncio.wait_for(changed, WAIT)
        self.assertEqual(("INSERT", "Ben"), (told["data"]["type"], told["data"]["record"]["first_name"]))
        await client.remove_all_channels()
        await client.auth.sign_out()


if __name__ == "__main__":
    unittest.main()
