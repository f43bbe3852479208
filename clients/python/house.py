"""What every program here begins with: clients of nobody, of somebody who just signed up, and of the service."""

import os
import unittest
import uuid

from postgrest.exceptions import APIError
from supabase import Client, ClientOptions, create_client

URL = os.environ["THORBIS_URL"]
ANON_KEY = os.environ["ANON_KEY"]
SERVICE_KEY = os.environ["SERVICE_KEY"]
PASSWORD = "correct horse battery staple"


def visitor(key: str = ANON_KEY, headers: dict[str, str] | None = None, schema: str = "public") -> Client:
    options = ClientOptions(auto_refresh_token=False, persist_session=False, schema=schema)
    options.headers.update(headers or {})
    return create_client(URL, key, options)


def address(name: str) -> str:
    return f"{name}.{uuid.uuid4()}@example.com"


def person(name: str) -> tuple[Client, str, str]:
    """Somebody who just signed up: client, user's id, address."""
    client, email = visitor(), address(name)
    answer = client.auth.sign_up({"email": email, "password": PASSWORD})
    return client, answer.user.id, email


def owner(name: str) -> tuple[Client, dict]:
    """Somebody who founded a company, with a session in it."""
    client, _, _ = person(name)
    company = client.rpc("create_company_with_owner", {"name": f"{name} {uuid.uuid4()}", "industry": "home_services"}).execute().data
    client.auth.refresh_session()
    return client, company


class Asking(unittest.TestCase):
    """A test with the words to say what is asked and what must come."""

    maxDiff = None

    def gives(self, asked, rows, count=None) -> None:
        answer = asked.execute()
        self.assertEqual((rows, count), (answer.data, answer.count))

    def refused(self, asked, code: str, **members) -> APIError:
        with self.assertRaises(APIError) as caught:
            asked.execute()
        self.assertEqual(code, caught.exception.code, caught.exception.json())
        for name, value in members.items():
            self.assertEqual(value, getattr(caught.exception, name))
        return caught.exception
