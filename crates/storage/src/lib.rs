//! Files of companies: buckets, objects, uploads, images.

pub mod image;
