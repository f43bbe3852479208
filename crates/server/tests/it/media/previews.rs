//! Thumbnails and previews of files that rows name.

use image::{GenericImageView as _, ImageFormat, Rgba};
use serde_json::{Value, json};

use super::{ask, pdf, picture, send, upload};
use crate::rates::{Person, soon};
use crate::transfers::shop::Shop;

const FILE: &str = "/rest/v1/file_storage";

/// What a row says of its previews.
const SAID: &str = "processing_status,processing_error,thumbnail_url,preview_url";

async fn shop() -> Shop {
    Shop::open_with(|settings| {
        settings.storage.images.program = Some(env!("CARGO_BIN_EXE_thorbis").into());
        settings.storage.images.time_ms = 20_000;
    })
    .await
}

/// Writes a row that names a file.
async fn row(shop: &Shop, who: &Person, path: &str, kind: &str) -> Value {
    let (bucket, name) = path.split_once('/').unwrap();
    let row = json!({ "filename": "f", "original_filename": "f", "mime_type": kind, "file_size": 1, "storage_bucket": bucket,
                      "storage_path": name, "thumbnail_url": "https://evil.example", "processing_status": "completed" });
    let made = shop.server.send(shop.request("POST", FILE, who).header("prefer", "return=representation").body(row.to_string())).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!((&made.body[0]["thumbnail_url"], &made.body[0]["preview_url"]), (&Value::Null, &Value::Null));
    made.body[0].clone()
}

/// What the row of a file says of it when the task is over.
async fn settled(shop: &Shop, who: &Person, path: &str) -> Value {
    let (bucket, name) = path.split_once('/').unwrap();
    let address = format!("{FILE}?select={SAID}&storage_bucket=eq.{bucket}&storage_path=eq.{}", name.replace(' ', "%20"));
    soon("the preview is made or refused", async || {
        let said = shop.get(&address, who).await.body;
        said[0]["processing_status"] != "pending"
    })
    .await;
    shop.get(&address, who).await.body[0].clone()
}

/// Fetches what a row says, as somebody.
async fn seen(shop: &Shop, who: Option<&Person>, address: &Value) -> super::Came {
    let path = address.as_str().unwrap_or_else(|| panic!("{address}")).strip_prefix("/storage/v1").unwrap();
    send(ask(shop, "GET", path, who).header("accept", "image/webp")).await
}

#[tokio::test]
async fn a_photo_gets_a_thumbnail_and_a_preview() {
    let shop = shop().await;
    let path = format!("company-files/{}/the roof.jpg", shop.ann.company);
    upload(&shop, &shop.ann, &path.replace(' ', "%20"), "image/jpeg", picture(2000, 1000, ImageFormat::Jpeg)).await;
    row(&shop, &shop.ann, &path, "image/jpeg").await;
    let said = settled(&shop, &shop.ann, &path).await;
    assert_eq!((&said["processing_status"], &said["processing_error"]), (&json!("completed"), &Value::Null), "{said}");
    assert_eq!(
        said["thumbnail_url"],
        format!(
            "/storage/v1/render/image/authenticated/company-files/{}/the%20roof.jpg?width=200&height=200&resize=contain",
            shop.ann.company
        )
    );
    let made = "select count(*) from app.derived_images";
    assert_eq!(shop.count(made).await, 2);
    for (address, sides) in [(&said["thumbnail_url"], (200, 100)), (&said["preview_url"], (1200, 600))] {
        let came = seen(&shop, Some(&shop.ann), address).await;
        assert_eq!((came.status, came.header("content-type")), (200, "image/webp"));
        assert_eq!(image::load_from_memory(&came.body).unwrap().dimensions(), sides);
        // Whoever may not read the file has nothing of what is made of it.
        assert_eq!(seen(&shop, Some(&shop.bob), address).await.code(), (400, "NoSuchKey".to_owned()));
        assert_eq!(seen(&shop, None, address).await.code(), (400, "NoSuchKey".to_owned()));
    }
    // Those that the task made were fetched; nothing counts as a file, and nothing is left without the file.
    assert_eq!(shop.count(made).await, 2);
    assert_eq!(shop.count("select objects from app.company_bytes where bytes > 0").await, 1);
    // No client says where a preview is.
    let refused = shop
        .server
        .send(
            shop.request("PATCH", &format!("{FILE}?id=not.is.null"), &shop.ann)
                .body(json!({ "preview_url": "https://evil.example", "tags": ["a"] }).to_string()),
        )
        .await;
    assert_eq!(refused.status, 204, "{}", refused.body);
    assert_eq!(settled(&shop, &shop.ann, &path).await["preview_url"], said["preview_url"]);
    let gone = send(ask(&shop, "DELETE", &format!("/object/{}", path.replace(' ', "%20")), Some(&shop.ann))).await;
    assert_eq!((gone.status, shop.count(made).await), (200, 0));
    assert_eq!(seen(&shop, Some(&shop.ann), &said["thumbnail_url"]).await.code(), (400, "NoSuchKey".to_owned()));
}

#[tokio::test]
async fn a_task_that_is_killed_twice_comes_to_one_thumbnail_and_one_preview() {
    let shop = shop().await;
    let client = shop.db.superuser().await;
    // Nobody makes any until it is said here.
    client.execute("update app.task_kinds set paused_until = now() + interval '1 hour' where name = 'make_previews'", &[]).await.unwrap();
    let path = format!("company-files/{}/roof.jpg", shop.ann.company);
    upload(&shop, &shop.ann, &path, "image/jpeg", picture(2000, 1000, ImageFormat::Jpeg)).await;
    row(&shop, &shop.ann, &path, "image/jpeg").await;
    for crashes in 1..=2_i64 {
        // It was taken by a process that is dead; before its second death it had made the thumbnail, which is asked for here as it asks.
        let taken = "update app.tasks set state = 'running', worker = app.uuid_v7(), attempt = attempt + 1, lanes = null, waits_for = null
                      where kind = 'make_previews'";
        assert_eq!(client.execute(taken, &[]).await.unwrap(), 1);
        if crashes == 2 {
            let thumbnail = format!("/render/image/authenticated/{path}?width=200&height=200&resize=contain");
            assert_eq!(send(ask(&shop, "GET", &thumbnail, Some(&shop.ann)).header("accept", "image/webp")).await.status, 200);
            assert_eq!(shop.count("select count(*) from app.derived_images").await, 1);
        }
        soon("it is known to be lost", async || {
            client.execute("select lost from app.tend_tasks(60000, 5, 100)", &[]).await.unwrap();
            shop.count("select crashes::bigint from app.tasks where kind = 'make_previews'").await == crashes
        })
        .await;
    }
    let before = shop.server.get(&format!("{FILE}?select={SAID}"), &shop.ann.token).await.body;
    assert_eq!(before[0]["processing_status"], "pending", "{before}");
    client.execute("update app.task_kinds set paused_until = null where name = 'make_previews'", &[]).await.unwrap();
    let said = settled(&shop, &shop.ann, &path).await;
    assert_eq!((&said["processing_status"], &said["processing_error"]), (&json!("completed"), &Value::Null), "{said}");
    for (address, sides) in [(&said["thumbnail_url"], (200, 100)), (&said["preview_url"], (1200, 600))] {
        let came = seen(&shop, Some(&shop.ann), address).await;
        assert_eq!((came.status, image::load_from_memory(&came.body).unwrap().dimensions()), (200, sides));
    }
    // Two images, each once, one task that was done, and no bytes that nobody knows of.
    assert_eq!(shop.count("select count(*) from app.derived_images").await, 2);
    assert_eq!(shop.count("select count(*) from app.done_tasks where kind = 'make_previews' and jsonb_array_length(errors) = 2").await, 1);
    assert_eq!(shop.count("select count(*) from app.tasks where kind = 'make_previews'").await, 0);
    assert_eq!(shop.count("select count(*) from app.blobs").await, 3);
}

#[tokio::test]
async fn of_a_document_the_first_page_is_drawn() {
    let shop = shop().await;
    let path = format!("documents/{}/plan.pdf", shop.ann.company);
    // The row is there before its file.
    row(&shop, &shop.ann, &path, "application/pdf").await;
    upload(&shop, &shop.ann, &path, "application/pdf", pdf::page()).await;
    let said = settled(&shop, &shop.ann, &path).await;
    assert_eq!((&said["processing_status"], &said["processing_error"]), (&json!("completed"), &Value::Null), "{said}");
    let came = seen(&shop, Some(&shop.ann), &said["preview_url"]).await;
    let drawn = image::load_from_memory(&came.body).unwrap();
    assert_eq!((came.header("content-type"), drawn.dimensions()), ("image/webp", (1200, 600)));
    let near = |x, y, expected: [u8; 3]| {
        let Rgba([r, g, b, _]) = drawn.get_pixel(x, y);
        let far = [r, g, b].iter().zip(expected).map(|(is, should)| is.abs_diff(should)).max().unwrap();
        assert!(far < 12, "({x}, {y}) is {:?} and should be {expected:?}", [r, g, b]);
    };
    near(300, 300, [255, 0, 0]);
    near(20, 20, [255, 0, 0]);
    near(620, 40, [255, 255, 255]);
    // The word is black on the right half, and there is not much of it.
    let dark = (600..1200)
        .flat_map(|x| (0..600).map(move |y| (x, y)))
        .filter(|(x, y)| drawn.get_pixel(*x, *y).0.iter().take(3).all(|c| *c < 60))
        .count();
    assert!((2_000..60_000).contains(&dark), "{dark}");
    let small = image::load_from_memory(&seen(&shop, Some(&shop.ann), &said["thumbnail_url"]).await.body).unwrap();
    assert_eq!(small.dimensions(), (200, 100));
    // Replaced, it is drawn anew; and what is nothing to look at has no preview.
    let green = pdf::drawn("0 0 100 200", "0 1 0 rg 0 0 100 200 re f", "");
    let replaced = ask(&shop, "PUT", &format!("/object/{path}"), Some(&shop.ann)).header("content-type", "application/pdf").body(green);
    assert_eq!(send(replaced).await.status, 200);
    let said = settled(&shop, &shop.ann, &path).await;
    let drawn = image::load_from_memory(&seen(&shop, Some(&shop.ann), &said["preview_url"]).await.body).unwrap();
    assert_eq!((drawn.dimensions(), drawn.get_pixel(300, 600).0[1] > 240), ((600, 1200), true));
    let note = format!("documents/{}/note.txt", shop.ann.company);
    upload(&shop, &shop.ann, &note, "text/plain", b"hello".to_vec()).await;
    row(&shop, &shop.ann, &note, "text/plain").await;
    let said = settled(&shop, &shop.ann, &note).await;
    assert_eq!(said, json!({ "processing_status": "completed", "processing_error": null, "thumbnail_url": null, "preview_url": null }));
}

#[tokio::test]
async fn what_nothing_can_be_made_of_says_why() {
    let shop = Shop::open_with(|settings| {
        settings.storage.images.program = Some(env!("CARGO_BIN_EXE_thorbis").into());
        settings.storage.images.pixels_max = 10_000;
        settings.storage.images.document_bytes_max = 200_000_000;
        settings.storage.images.time_ms = 20_000;
    })
    .await;
    let path = |name: &str| format!("attachments/{}/{name}", shop.ann.company);
    let cut: Vec<u8> = pdf::page().into_iter().take(60).collect();
    let files = [
        ("broken.pdf", "application/pdf", cut, "document_unreadable"),
        ("empty.pdf", "application/pdf", b"%PDF-1.4\n%%EOF".to_vec(), "document_unreadable"),
        ("locked.pdf", "application/pdf", pdf::encrypted(), "document_encrypted"),
        ("no.pdf", "application/pdf", b"hello".to_vec(), "image_type_unsupported"),
        ("large.png", "image/png", picture(200, 51, ImageFormat::Png), "image_too_large"),
        ("no.png", "image/png", b"\x89PNG\r\n\x1a\nnothing".to_vec(), "image_unreadable"),
    ];
    for (name, kind, content, code) in files {
        upload(&shop, &shop.ann, &path(name), kind, content).await;
        row(&shop, &shop.ann, &path(name), kind).await;
        let said = settled(&shop, &shop.ann, &path(name)).await;
        assert_eq!((&said["processing_status"], &said["thumbnail_url"]), (&json!("failed"), &Value::Null), "{name}: {said}");
        assert!(said["processing_error"].as_str().unwrap().ends_with(&format!("({code})")), "{name}: {said}");
    }
    assert_eq!(shop.count("select count(*) from app.derived_images").await, 0);
    assert_eq!(shop.count("select count(*) from app.dead_tasks").await, 0);
    assert_eq!(shop.count("select count(*) from app.done_tasks where kind = 'make_previews' and attempt = 1").await, 6);
}

#[tokio::test]
async fn a_document_without_an_end_is_given_up() {
    let shop = Shop::open_with(|settings| {
        settings.storage.images.program = Some(env!("CARGO_BIN_EXE_thorbis").into());
        settings.storage.images.time_ms = 500;
        settings.storage.images.document_bytes_max = 1_000_000_000;
        settings.storage.images.page_memory_mib = 4_096;
    })
    .await;
    let path = format!("attachments/{}/endless.pdf", shop.ann.company);
    upload(&shop, &shop.ann, &path, "application/pdf", pdf::endless().into_iter().take(90_000_000).collect()).await;
    row(&shop, &shop.ann, &path, "application/pdf").await;
    let said = settled(&shop, &shop.ann, &path).await;
    assert_eq!(said["processing_status"], "failed", "{said}");
    assert!(said["processing_error"].as_str().unwrap().ends_with("(image_time_over)"), "{said}");
    // Nobody is left who draws, and the next one is drawn.
    soon("the process is gone", async || {
        let listed = std::process::Command::new("pgrep").args(["-P", &std::process::id().to_string(), "-f", "draw-page"]).output().unwrap();
        listed.stdout.is_empty()
    })
    .await;
}
