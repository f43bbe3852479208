"""Files with the Python client: buckets, uploads, links, lists, moves and copies, as programs of the operator call them. Each test has a bucket of its own."""

import unittest
import urllib.request
import uuid

from storage3.exceptions import StorageApiError

from house import SERVICE_KEY, visitor

storage = visitor(SERVICE_KEY).storage


class Files(unittest.TestCase):
    def setUp(self):
        self.name = f"of-python-{uuid.uuid4()}"
        storage.create_bucket(self.name, options={"public": False, "file_size_limit": 100_000})
        self.bucket = storage.from_(self.name)

    def tearDown(self):
        storage.empty_bucket(self.name)
        storage.delete_bucket(self.name)

    def put(self, path, content=b"hello", **options):
        return self.bucket.upload(path, content, {"content-type": "text/plain", **options})

    def test_buckets(self):
        bucket = storage.get_bucket(self.name)
        self.assertEqual((self.name, False, 100_000), (bucket.id, bucket.public, bucket.file_size_limit))
        storage.update_bucket(self.name, {"public": True})
        self.assertTrue(storage.get_bucket(self.name).public)
        self.assertIn(self.name, [bucket.name for bucket in storage.list_buckets()])
        self.put("a.txt")
        with self.assertRaises(StorageApiError) as refused:
            storage.delete_bucket(self.name)
        self.assertEqual("The bucket you tried to delete is not empty", refused.exception.message)
        public = self.bucket.get_public_url("a.txt")
        with urllib.request.urlopen(public) as answer:
            self.assertEqual(b"hello", answer.read())

    def test_upload_and_download(self):
        made = self.put("folder/a.txt", **{"cache-control": "60"})
        self.assertEqual(("folder/a.txt", f"{self.name}/folder/a.txt"), (made.path, made.full_path))
        self.assertEqual(b"hello", self.bucket.download("folder/a.txt"))
        self.assertTrue(self.bucket.exists("folder/a.txt"))
        self.assertEqual(5, self.bucket.info("folder/a.txt")["size"])
        with self.assertRaises(StorageApiError) as twice:
            self.put("folder/a.txt")
        self.assertEqual("The resource already exists", twice.exception.message)
        self.put("folder/a.txt", b"again", upsert="true")
        self.assertEqual(b"again", self.bucket.download("folder/a.txt"))
        self.bucket.update("folder/a.txt", b"third", {"content-type": "text/plain"})
        self.assertEqual(b"third", self.bucket.download("folder/a.txt"))

    def test_links(self):
        self.put("a.txt")
        self.put("b.txt", b"other")
        link = self.bucket.create_signed_url("a.txt", 60, {"download": "näme.txt"})["signedURL"]
        with urllib.request.urlopen(link) as answer:
            self.assertEqual((b"hello", "attachment; filename=n%C3%A4me.txt; filename*=UTF-8''n%C3%A4me.txt"), (answer.read(), answer.headers["content-disposition"]))
        several = self.bucket.create_signed_urls(["b.txt", "none"], 60)
        with urllib.request.urlopen(several[0]["signedURL"]) as answer:
            self.assertEqual(b"other", answer.read())
        self.assertEqual("Either the object does not exist or you do not have access to it", several[1]["error"])
        up = self.bucket.create_signed_upload_url("new.txt")
        self.bucket.upload_to_signed_url("new.txt", up["token"], b"new", {"content-type": "text/plain"})
        self.assertEqual(b"new", self.bucket.download("new.txt"))

    def test_list_move_copy_remove(self):
        for name in ["b.txt", "A.txt", "folder/c.txt"]:
            self.put(name)
        names = lambda path="", options=None: [entry["name"] for entry in self.bucket.list(path, options)]
        self.assertEqual(["A.txt", "b.txt", "folder"], names())
        self.assertEqual(["b.txt"], names("", {"limit": 1, "offset": 1, "sortBy": {"column": "name", "order": "asc"}}))
        self.assertEqual(["c.txt"], names("folder"))
        self.assertEqual("Successfully moved", self.bucket.move("b.txt", "folder/b.txt")["message"])
        self.assertEqual(f"{self.name}/folder/d.txt", self.bucket.copy("folder/b.txt", "folder/d.txt")["Key"])
        self.assertEqual(["b.txt", "c.txt", "d.txt"], names("folder"))
        gone = self.bucket.remove(["folder/b.txt", "none"])
        self.assertEqual(["folder/b.txt"], [entry["name"] for entry in gone])
        with self.assertRaises(StorageApiError) as none:
            self.bucket.download("folder/b.txt")
        self.assertEqual("Object not found", none.exception.message)
