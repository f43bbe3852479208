//! Images made of objects, over HTTP.

use image::{GenericImageView as _, ImageFormat};
use serde_json::json;

use super::{Came, ask, picture, send, upload};
use crate::rates::Person;
use crate::transfers::shop::Shop;

async fn render(shop: &Shop, who: Option<&Person>, path: &str, accept: &str) -> Came {
    send(ask(shop, "GET", &format!("/render/image/{path}"), who).header("accept", accept)).await
}

#[tokio::test]
async fn an_image_is_made_for_its_readers_and_kept() {
    let shop = Shop::open().await;
    let path = format!("company-files/{}/roof.jpg", shop.ann.company);
    upload(&shop, &shop.ann, &path, "image/jpeg", picture(400, 300, ImageFormat::Jpeg)).await;
    let wanted = format!("authenticated/{path}?width=200&height=200&quality=60");
    let made = render(&shop, Some(&shop.ann), &wanted, "image/avif,image/webp,*/*").await;
    assert_eq!((made.status, made.header("content-type")), (200, "image/webp"), "{}", made.json());
    assert_eq!(made.header("x-transformations"), "height:200,width:200,resizing_type:fill,quality:60");
    assert_eq!(made.header("vary"), "Accept");
    assert_eq!(image::load_from_memory(&made.body).unwrap().dimensions(), (200, 200));
    let kept = "select count(*) from app.derived_images";
    assert_eq!(shop.count(kept).await, 1);
    let again = render(&shop, Some(&shop.ann), &wanted, "image/webp").await;
    assert_eq!((again.status, again.header("etag")), (200, made.header("etag")));
    assert_eq!((again.body, shop.count(kept).await), (made.body, 1));
    let own = render(&shop, Some(&shop.ann), &format!("authenticated/{path}?width=100&resize=contain&format=origin"), "image/webp").await;
    assert_eq!((own.status, own.header("content-type"), own.header("vary")), (200, "image/jpeg", ""));
    assert_eq!(image::load_from_memory(&own.body).unwrap().dimensions(), (100, 75));
    let unchanged = ask(&shop, "GET", &format!("/render/image/{wanted}"), Some(&shop.ann)).header("accept", "image/webp");
    assert_eq!(send(unchanged.header("if-none-match", again.headers["etag"].to_str().unwrap())).await.status, 304);

    // Nobody reads what is made of what he may not read.
    for (who, name) in [(Some(&shop.bob), "another company"), (None, "nobody")] {
        let refused = render(&shop, who, &wanted, "image/webp").await;
        assert_eq!(refused.code(), (400, "NoSuchKey".to_owned()), "{name}");
    }
    let public = render(&shop, None, &format!("public/{path}?width=10"), "*/*").await;
    assert_eq!(public.code(), (400, "NoSuchBucket".to_owned()));

    // What was made goes with what it was made of.
    let gone = send(ask(&shop, "DELETE", &format!("/object/{path}"), Some(&shop.ann))).await;
    assert_eq!((gone.status, shop.count(kept).await), (200, 0));
    assert_eq!(shop.count("select count(*) from app.blobs where state = 'doomed'").await, 2);
    assert_eq!(render(&shop, Some(&shop.ann), &wanted, "image/webp").await.code(), (400, "NoSuchKey".to_owned()));
}

#[tokio::test]
async fn a_link_says_what_is_made_and_a_public_bucket_needs_none() {
    let shop = Shop::open().await;
    let (name, face) = (format!("{}/roof.png", shop.ann.company), format!("avatars/{}/face.png", shop.ann.company));
    upload(&shop, &shop.ann, &format!("company-files/{name}"), "image/png", picture(64, 64, ImageFormat::Png)).await;
    upload(&shop, &shop.ann, &face, "image/png", picture(64, 64, ImageFormat::Png)).await;
    let body = json!({ "expiresIn": 60, "transform": { "width": 32, "height": 16, "resize": "fill" } });
    let signed = shop.post(&format!("/storage/v1/object/sign/company-files/{name}"), &shop.ann, body).await.body;
    let address = signed["signedURL"].as_str().unwrap_or_else(|| panic!("{signed}"));
    assert!(address.starts_with("/render/image/sign/company-files/"), "{address}");
    let made = send(ask(&shop, "GET", &format!("{address}&width=64&height=64"), None).header("accept", "image/webp")).await;
    assert_eq!((made.status, made.header("content-type")), (200, "image/webp"), "{}", made.json());
    assert_eq!(image::load_from_memory(&made.body).unwrap().dimensions(), (32, 16));
    // Who was given a small picture has not the large one, with all that it says.
    let original = send(ask(&shop, "GET", &address.replace("/render/image/", "/object/"), None)).await;
    assert_eq!(original.code(), (400, "InvalidSignature".to_owned()));
    let other = address.replace("roof.png", "else.png");
    assert_eq!(send(ask(&shop, "GET", &other, None)).await.code(), (400, "InvalidSignature".to_owned()));
    assert_eq!(send(ask(&shop, "GET", &format!("{address}x"), None)).await.status, 400);
    let public = render(&shop, None, &format!("public/{face}?height=8"), "*/*").await;
    assert_eq!((public.status, public.header("content-type")), (200, "image/png"));
    assert_eq!(image::load_from_memory(&public.body).unwrap().dimensions(), (8, 8));
}

#[tokio::test]
async fn what_is_no_image_is_refused_with_a_word() {
    let shop = Shop::open_with(|settings| settings.storage.images.pixels_max = 10_000).await;
    let path = |name: &str| format!("company-files/{}/{name}", shop.ann.company);
    let cut = picture(90, 90, ImageFormat::Png).into_iter().take(200).collect::<Vec<_>>();
    for (name, kind, content, expected) in [
        ("a.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), ("415", "image_type_unsupported")),
        ("b.png", "image/png", b"not a png at all".to_vec(), ("415", "image_type_unsupported")),
        ("c.png", "image/png", cut, ("422", "image_unreadable")),
        ("d.jpg", "image/jpeg", picture(200, 51, ImageFormat::Jpeg), ("413", "image_too_large")),
    ] {
        upload(&shop, &shop.ann, &path(name), kind, content).await;
        let refused = render(&shop, Some(&shop.ann), &format!("authenticated/{}?width=10", path(name)), "*/*").await.json();
        assert_eq!((refused["statusCode"].as_str().unwrap(), refused["code"].as_str().unwrap()), expected, "{name}");
    }
    upload(&shop, &shop.ann, &path("e.png"), "image/png", picture(10, 10, ImageFormat::Png)).await;
    for query in ["width=-1", "height=1.5", "quality=1", "resize=turn", "format=gif"] {
        let refused = render(&shop, Some(&shop.ann), &format!("authenticated/{}?{query}", path("e.png")), "*/*").await;
        assert_eq!(refused.code(), (400, "image_parameters_invalid".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn of_one_file_a_bounded_number_is_kept() {
    let shop = Shop::open_with(|settings| settings.storage.images.kept_per_object = 2).await;
    let path = format!("company-files/{}/roof.png", shop.ann.company);
    upload(&shop, &shop.ann, &path, "image/png", picture(64, 64, ImageFormat::Png)).await;
    for width in [10, 11, 12] {
        assert_eq!(render(&shop, Some(&shop.ann), &format!("authenticated/{path}?width={width}"), "*/*").await.status, 200);
    }
    assert_eq!(shop.count("select count(*) from app.derived_images").await, 2);
    assert_eq!(shop.count("select count(*) from app.derived_images where name like 'w10-%'").await, 0);
}
