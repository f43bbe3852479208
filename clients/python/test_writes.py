"""Writes and calls with the Python client, on the library of clients/project. Each test has a run of its own."""

import uuid

from postgrest.types import CountMethod, ReturnMethod

from house import Asking, visitor

library = visitor()


class Writes(Asking):
    def setUp(self):
        self.run_id = str(uuid.uuid4())

    def parcels(self):
        return library.table("parcels")

    def row(self, label, **more):
        return {"run": self.run_id, "label": label, **more}

    def keeps(self, *rows):
        kept = self.parcels().select("label", "weight").eq("run", self.run_id).order("label")
        self.gives(kept, [{"label": label, "weight": weight} for label, weight in rows])

    def test_insert(self):
        made = self.parcels().insert(self.row("a", contents={"books": [1, "two"]})).execute().data[0]
        self.assertEqual(("a", 7, {"books": [1, "two"]}), (made["label"], made["weight"], made["contents"]))
        self.gives(self.parcels().insert(self.row("b"), returning=ReturnMethod.minimal), [])
        several = self.parcels().insert([self.row("c", weight=1), self.row("d", note="x")], count=CountMethod.exact, default_to_null=False).execute()
        self.assertEqual((2, ["c", "d"]), (several.count, [row["label"] for row in several.data]))
        self.gives(self.parcels().insert(self.row("e", reader_name="ben")).select("label", "readers(name)"), [{"label": "e", "readers": {"name": "ben"}}])
        self.keeps(("a", 7), ("b", 7), ("c", 1), ("d", 7), ("e", 7))
        self.refused(self.parcels().insert([self.row("f", weight=3), self.row("g", note="x")]), "23502")

    def test_upsert(self):
        conflict = "run,label"
        self.parcels().upsert(self.row("a", weight=1), on_conflict=conflict).execute()
        merged = self.parcels().upsert(self.row("a", weight=2), on_conflict=conflict, count=CountMethod.exact).execute()
        self.assertEqual((1, 2), (merged.count, merged.data[0]["weight"]))
        ignored = self.parcels().upsert([self.row("a", weight=9), self.row("b", weight=3)], on_conflict=conflict, ignore_duplicates=True).execute()
        self.assertEqual(["b"], [row["label"] for row in ignored.data])
        self.keeps(("a", 2), ("b", 3))

    def test_update_and_delete(self):
        self.parcels().insert([self.row("a"), self.row("b"), self.row("c")]).execute()
        changed = self.parcels().update({"weight": 2}, count=CountMethod.exact).eq("run", self.run_id).neq("label", "c").execute()
        self.assertEqual((2, [2, 2]), (changed.count, [row["weight"] for row in changed.data]))
        self.gives(self.parcels().update({"weight": 3}).eq("run", self.run_id).eq("label", "x"), [])
        self.refused(self.parcels().update({"weight": 4}).eq("run", self.run_id).max_affected(2), "PGRST124", details="The query affects 3 rows")
        self.refused(self.parcels().delete().eq("run", self.run_id).max_affected(1), "PGRST124")
        gone = self.parcels().delete().eq("run", self.run_id).eq("label", "b").max_affected(1).execute()
        self.assertEqual(["b"], [row["label"] for row in gone.data])
        self.gives(self.parcels().delete(returning=ReturnMethod.minimal).eq("run", self.run_id).eq("label", "c"), [])
        self.keeps(("a", 2))

    def test_what_is_refused(self):
        self.parcels().insert(self.row("a")).execute()
        twice = self.refused(self.parcels().insert(self.row("a")), "23505", details=f"Key (run, label)=({self.run_id}, a) already exists.")
        self.assertEqual('duplicate key value violates unique constraint "parcels_run_label_key"', twice.message)
        self.refused(self.parcels().insert(self.row("b", reader_name="nobody")), "23503")
        self.refused(self.parcels().insert(self.row("b", weight=0)), "23514")
        self.refused(self.parcels().insert(self.row("b", colour="red")), "PGRST204", message="Could not find the 'colour' column of 'parcels' in the schema cache")
        self.keeps(("a", 7))


class Calls(Asking):
    def test_what_a_function_gives(self):
        self.gives(library.rpc("add_numbers", {"a": 1, "b": 2}), 3)
        self.gives(library.rpc("add_numbers", {"a": 1}), 11)
        self.gives(library.rpc("status_of", {"reader": "ben"}), "OFFLINE")
        self.gives(library.rpc("first_squares", {"until": 3}), [1, 4, 9])
        self.gives(library.rpc("joined_words", {"words": ["a", "b c"]}), "a-b c")
        self.gives(library.rpc("nth", {"list": [10, 20], "place": 2}, get=True), 20)
        self.gives(library.rpc("surface", {"width": 3, "height": 4}), 12)
        self.gives(library.rpc("readers_of", {"wanted": "ONLINE"}).select("name").order("name", desc=True).limit(1), [{"name": "cleo"}])
        self.gives(library.rpc("readers_of", {"wanted": "ONLINE"}).select("name").eq("trusted", True), [{"name": "ada"}])
        self.gives(library.rpc("letter_counts").select("letters").eq("reader", "ada").single(), {"letters": 2})
        self.gives(library.rpc("letter_counts").csv(), "reader,letters\nada,2\nben,1\n,1")

    def test_what_writes(self):
        run = str(uuid.uuid4())
        self.assertEqual(7, library.rpc("send_parcel", {"run": run, "label": "a"}).execute().data["weight"])
        library.rpc("send_parcel", {"run": run, "label": "b"}).execute()
        self.refused(library.rpc("repack", {"run": run}).max_affected(1), "PGRST124")
        self.assertEqual([8, 8], [row["weight"] for row in library.rpc("repack", {"run": run}).max_affected(2).execute().data])
        self.refused(library.rpc("send_parcel", {"run": run, "label": "c"}, get=True), "25006")

    def test_what_is_refused(self):
        self.refused(library.rpc("pay", {}), "PT402", message="Payment required", details="The fine is open", hint="Pay at the desk")
        self.refused(library.rpc("ad_numbers", {"a": 1}), "PGRST202", hint="Perhaps you meant to call the function public.add_numbers")
        self.refused(library.rpc("add_numbers", {"a": "one"}), "22P02")

    def test_headers(self):
        self.gives(visitor(headers={"x-asked": "always"}).rpc("asked_with", {"name": "x-asked"}), "always")
