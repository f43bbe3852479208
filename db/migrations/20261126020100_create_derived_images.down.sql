-- description: takes back create_derived_images
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126020000
-- rollback: run create_derived_images again

drop trigger if exists forget_derived on app.object_versions;
drop function if exists app.forget_derived();
drop function if exists app.keep_derived_image(text, text, text, text, bigint, integer);
drop table app.derived_images;
