//! data_api
