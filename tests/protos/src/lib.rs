//! Services that exist for tests only.

/// The descriptor set of every service here, options included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// `connectrpc.conformance.v1`: the service of the gRPC conformance suite.
pub mod conformance {
    pub mod v1 {
        tonic::include_proto!("connectrpc.conformance.v1");
    }
}

/// `gate.v1`: one method for each requirement.
pub mod gate {
    pub mod v1 {
        tonic::include_proto!("gate.v1");
    }
}

/// `google.api`, as far as messages of it are sent.
pub mod google {
    pub mod api {
        tonic::include_proto!("google.api");
    }
}

/// `library.v1`: books and shelves, with every feature of the HTTP annotations.
pub mod library {
    pub mod v1 {
        tonic::include_proto!("library.v1");
    }
}
