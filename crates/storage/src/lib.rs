//! Files of companies: buckets, objects, uploads, images.
