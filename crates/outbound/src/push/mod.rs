//! Devices, and what a push service has to be shown.

pub(crate) mod devices;
pub(crate) mod envelope;
mod vapid;

pub use vapid::VapidKey;

pub(crate) use devices::Device;
