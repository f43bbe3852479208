"""Sign-ins with the Python client, and what they open: rows of one's own, and those of a company."""

import unittest
import uuid

from supabase import AsyncClientOptions, acreate_client
from supabase_auth.errors import AuthApiError

from house import ANON_KEY, PASSWORD, SERVICE_KEY, URL, Asking, address, owner, person, visitor


class Sessions(Asking):
    def test_signing_in_and_out(self):
        _, user_id, email = person("ann")
        client = visitor()
        self.gives(client.table("diaries").select("page"), [])
        session = client.auth.sign_in_with_password({"email": email, "password": PASSWORD}).session
        self.assertEqual((user_id, "authenticated"), (session.user.id, session.user.role))
        self.assertEqual(email, client.auth.get_user().user.email)
        page = client.table("diaries").insert({"page": "Mine"}).execute().data[0]
        self.assertEqual(user_id, page["owner_id"])
        renewed = client.auth.refresh_session().session
        self.assertNotEqual(session.refresh_token, renewed.refresh_token)
        self.gives(client.table("diaries").select("page"), [{"page": "Mine"}])
        changed = client.auth.update_user({"data": {"nickname": "Annie"}}).user
        self.assertEqual("Annie", changed.user_metadata["nickname"])
        client.auth.sign_out()
        self.assertIsNone(client.auth.get_session())
        self.gives(client.table("diaries").select("page"), [])

    def test_a_wrong_password(self):
        _, _, email = person("ann")
        for who in (email, address("nobody")):
            with self.assertRaises(AuthApiError) as caught:
                visitor().auth.sign_in_with_password({"email": who, "password": "wrong password"})
            self.assertEqual((400, "invalid_credentials", "Invalid login credentials"), (caught.exception.status, caught.exception.code, caught.exception.message))

    def test_rows_of_whoever_wrote_them(self):
        ann, ann_id, _ = person("ann")
        bob, _, _ = person("bob")
        page = ann.table("diaries").insert({"page": "Mine"}).execute().data[0]
        self.gives(bob.table("diaries").select("*"), [])
        self.gives(bob.table("diaries").update({"page": "His"}).eq("id", page["id"]), [])
        self.gives(bob.table("diaries").delete().eq("id", page["id"]), [])
        self.refused(bob.table("diaries").insert({"page": "Hers", "owner_id": ann_id}), "42501")
        self.refused(visitor().table("diaries").insert({"page": "Nobody"}), "42501")
        self.gives(ann.table("diaries").select("page"), [{"page": "Mine"}])
        self.gives(visitor(SERVICE_KEY).table("diaries").select("page").eq("owner_id", ann_id), [{"page": "Mine"}])

    def test_a_company(self):
        client, company = owner("ann")
        customer_id = str(uuid.uuid4())
        customer = {"id": customer_id, "first_name": "Ada", "phone": "+15550100"}
        self.assertEqual(company["id"], client.table("customers").insert(customer).execute().data[0]["company_id"])
        client.table("customers").upsert({**customer, "first_name": "Adele"}, on_conflict="id").execute()
        client.table("jobs").insert({"customer_id": customer_id, "title": "Boiler", "status": "quoted"}).execute()
        self.gives(client.table("jobs").select("title", "customer:customer_id(first_name)"), [{"title": "Boiler", "customer": {"first_name": "Adele"}}])
        stranger, _ = owner("bob")
        self.gives(stranger.table("customers").select("*"), [])
        self.gives(stranger.table("jobs").update({"title": "Theirs"}).eq("customer_id", customer_id), [])
        self.refused(stranger.table("jobs").insert({"customer_id": customer_id, "title": "Pointing", "status": "quoted"}), "23503")
        self.refused(visitor().table("customers").select("*"), "42501")


class Together(unittest.IsolatedAsyncioTestCase):
    async def test_the_client_that_waits_for_nobody(self):
        client = await acreate_client(URL, ANON_KEY, AsyncClientOptions(auto_refresh_token=False, persist_session=False))
        answer = await client.auth.sign_up({"email": address("ann"), "password": PASSWORD})
        await client.table("diaries").insert({"page": "Mine"}).execute()
        pages = (await client.table("diaries").select("owner_id", "page").execute()).data
        self.assertEqual([{"owner_id": answer.user.id, "page": "Mine"}], pages)
        self.assertEqual(3, (await client.rpc("add_numbers", {"a": 1, "b": 2}).execute()).data)
