//! Services that exist for tests only.

/// The descriptor set of every service here, options included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// `google.api`, as far as messages of it are sent.
pub mod google {
    #[expect(missing_docs, reason = "generated code")]
    pub mod api {
        tonic::include_proto!("google.api");
    }
}

/// `library.v1`: books and shelves, with every feature of the HTTP annotations.
pub mod library {
    #[expect(missing_docs, clippy::allow_attributes_without_reason, reason = "generated code")]
    pub mod v1 {
        tonic::include_proto!("library.v1");
    }
}
