//! Code and descriptors generated from `proto/`.

/// The descriptor set of every service of ours: options, comments and error details included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// `user.v1`: the service's contract.
pub mod user {
    #[expect(
        missing_docs,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]
    pub mod v1 {
        tonic::include_proto!("user.v1");
    }
}
