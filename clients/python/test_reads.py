"""Reads with the Python client, on the library of clients/project: what is asked, and the rows that must come."""

from postgrest.types import CountMethod

from house import Asking, visitor

library = visitor()


def readers(*columns, **options):
    return library.table("readers").select(*columns or ("name",), **options)


def named(*names):
    return [{"name": name} for name in names]


FILTERS = [
    ("eq", lambda q: q.eq("name", "ada"), "ada"),
    ("neq", lambda q: q.neq("name", "ada"), "ben cleo dan%"),
    ("gt", lambda q: q.gt("fine", 0), "ada dan%"),
    ("gte", lambda q: q.gte("fine", 0), "ada ben dan%"),
    ("lt", lambda q: q.lt("fine", 1.5), "ben"),
    ("lte", lambda q: q.lte("fine", 1.5), "ada ben"),
    ("is", lambda q: q.is_("trusted", None), "cleo"),
    ("is true", lambda q: q.is_("trusted", True), "ada dan%"),
    ("like", lambda q: q.like("name", "%e%"), "ben cleo"),
    ("ilike", lambda q: q.ilike("name", "%A%"), "ada dan%"),
    ("like all", lambda q: q.like_all_of("name", "%e%,%o"), "cleo"),
    ("like any", lambda q: q.like_any_of("name", "a%,b%"), "ada ben"),
    ("ilike all", lambda q: q.ilike_all_of("name", "A%,%A"), "ada"),
    ("ilike any", lambda q: q.ilike_any_of("name", "A%,%N"), "ada ben"),
    ("in", lambda q: q.in_("name", ["ada", "dan%", "a, b (c)"]), "ada dan%"),
    ("contains, array", lambda q: q.contains("languages", ["fr"]), "ada dan%"),
    ("contains, json", lambda q: q.contains("data", {"city": "Rome"}), "dan%"),
    ("contained by", lambda q: q.contained_by("languages", ["en", "fr"]), "ada ben cleo"),
    ("contained by, range", lambda q: q.contained_by("age_range", "[1,25)"), "ada ben"),
    ("overlaps", lambda q: q.overlaps("languages", ["en", "it"]), "ada ben dan%"),
    ("range gt", lambda q: q.range_gt("age_range", (2, 25)), "dan%"),
    ("range gte", lambda q: q.range_gte("age_range", (9, 15)), "ben cleo dan%"),
    ("range lt", lambda q: q.range_lt("age_range", (19, 25)), "ada ben"),
    ("range lte", lambda q: q.range_lte("age_range", (5, 20)), "ada ben"),
    ("adjacent", lambda q: q.range_adjacent("age_range", (9, 20)), "ada cleo"),
    ("full text", lambda q: q.text_search("motto", "'fat' & 'cat'", {"config": "english"}), "ada"),
    ("full text, plain", lambda q: q.text_search("motto", "rats fat", {"type": "plain", "config": "english"}), "ada"),
    ("full text, phrase", lambda q: q.text_search("motto", "cat jumps", {"type": "phrase", "config": "english"}), "cleo"),
    ("full text, websearch", lambda q: q.text_search("motto", "cat -fat", {"type": "web_search", "config": "english"}), "cleo"),
    ("match", lambda q: q.match({"status": "ONLINE", "trusted": True}), "ada"),
    ("not", lambda q: q.not_.eq("name", "ada"), "ben cleo dan%"),
    ("not is", lambda q: q.not_.is_("trusted", None), "ada ben dan%"),
    ("not in", lambda q: q.not_.in_("name", ["ada", "dan%"]), "ben cleo"),
    ("or", lambda q: q.or_("and(status.eq.ONLINE,trusted.is.true),fine.gt.20"), "ada dan%"),
    ("not or", lambda q: q.not_.or_("name.eq.ada,status.is.null"), "ben cleo"),
    ("filter", lambda q: q.filter("name", "match", "^[ab]"), "ada ben"),
    ("json", lambda q: q.eq("data->>city", "Paris"), "ben"),
    ("two", lambda q: q.gt("fine", 0).lt("fine", 10), "ada"),
]


class Reads(Asking):
    def test_filters(self):
        for name, asked, expected in FILTERS:
            with self.subTest(name):
                self.gives(asked(readers()).order("name"), named(*expected.split()))

    def test_columns(self):
        row = {"who": "ada", "fine": "1.50", "city": "London", "age_range": "[1,10)", "languages": ["en", "fr"], "initial": "a"}
        self.gives(readers("who:name", "fine::text", "data->>city", "age_range", "languages", "initial").eq("name", "ada").single(), row)
        self.gives(readers("name", "data", "fine").eq("name", "cleo").strip_nulls(), named("cleo"))

    def test_order_and_range(self):
        self.gives(readers().order("fine", desc=True, nullsfirst=False), named("dan%", "ada", "ben", "cleo"))
        self.gives(readers().order("fine", nullsfirst=True).order("name"), named("cleo", "ben", "ada", "dan%"))
        self.gives(readers().order("name").limit(2).offset(1), named("ben", "cleo"))
        self.gives(readers(count=CountMethod.exact).order("name").range(1, 2), named("ben", "cleo"), 4)
        self.gives(readers(count=CountMethod.estimated, head=True).eq("status", "ONLINE"), [], 2)
        planned = readers(count=CountMethod.planned).execute()
        self.assertGreater(planned.count, 0)
        self.refused(readers(count=CountMethod.exact).range(10, 12), "PGRST103", message="Requested range not satisfiable")

    def test_one_row(self):
        self.gives(readers().eq("name", "ada").single(), {"name": "ada"})
        self.refused(readers().eq("status", "ONLINE").single(), "PGRST116", details="The result contains 2 rows")
        self.assertIsNone(readers().eq("name", "nobody").maybe_single().execute())
        self.gives(readers().eq("name", "ada").maybe_single(), {"name": "ada"})

    def test_forms(self):
        self.gives(readers("name", "fine").in_("name", ["ada", "cleo"]).order("name").csv(), "name,fine\nada,1.50\ncleo,")
        self.assertIn("Scan on readers", readers().explain().execute())
        plan = readers().explain(analyze=True, format="json").execute().data
        self.assertIn("Actual Rows", plan[0]["Plan"])

    def test_related_tables(self):
        rooms = library.table("rooms")
        self.gives(rooms.select("slug", "letters(message)").eq("id", 1).order("id", foreign_table="letters", desc=True).limit(1, foreign_table="letters"), [
            {"slug": "public", "letters": [{"message": "From Ben"}]},
        ])
        self.gives(rooms.select("slug", "topics!inner(label)", count=CountMethod.exact).eq("topics.label", "maps"), [
            {"slug": "public", "topics": [{"label": "maps"}]},
        ], 1)
        self.gives(rooms.select("slug", "room_details(details)").eq("id", 3), [{"slug": "quiet", "room_details": None}])
        self.gives(readers("name", "letters(id)").eq("name", "ada").or_("pages.gt.4,message.eq.Nothing", reference_table="letters"), [
            {"name": "ada", "letters": [{"id": 2}]},
        ])
        pairs = library.table("friendships")
        unclear = self.refused(pairs.select("id", "readers(name)"), "PGRST201")
        self.assertEqual(2, len(unclear.details))
        self.gives(pairs.select("id", "second:readers!second_reader(name)").eq("id", 1), [{"id": 1, "second": {"name": "ben"}}])
        self.gives(library.table("letters").select("reader_name", "pages.sum()").eq("reader_name", "ada"), [{"reader_name": "ada", "sum": 7}])
        self.gives(library.table("letters").select("message", "...rooms(slug)").eq("id", 1), [{"message": "Hello", "slug": "public"}])

    def test_schemas(self):
        self.gives(library.schema("archive").table("readers").select("*"), [{"name": "zoe", "left_in": 1999}])
        self.gives(visitor(schema="archive").table("readers").select("name"), named("zoe"))
        self.refused(library.schema("auth").table("users").select("*"), "PGRST106")

    def test_what_is_refused(self):
        self.refused(readers("nick"), "42703", message="column readers.nick does not exist")
        # Without a body the code stands in the header.
        self.refused(readers("nick", head=True), "42703")
        self.refused(library.table("raders").select("*"), "PGRST205", hint="Perhaps you meant the table 'public.readers'")
        self.refused(readers().eq("age_range", "old"), "22P02")
