//! The declarations that are built in.

/// A file with its name.
pub type ShippedFile = (&'static str, &'static str);

macro_rules! shipped {
    ($($name:literal)*) => {
        /// Every declaration that is built in.
        pub const SHIPPED: &[ShippedFile] = &[$((
            concat!($name, ".toml"),
            include_str!(concat!("../../services/", $name, ".toml")),
        ),)*];
    };
}

shipped! { "assemblyai" "cartesia" "cohere" "gemini" "groq" "mistral" "openrouter" "xai" }
