//! Enums that know all of their variants.

/// Defines an enum, and the list `ALL` of its variants in their order. One that holds another enum is listed once, with a stand-in.
macro_rules! listed {
    (
        $(#[$meta:meta])*
        $visibility:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident $(($inner:ident = $example:ident))?,)* }
    ) => {
        $(#[$meta])*
        $visibility enum $name {
            $($(#[$doc])* $variant $(($inner))?,)*
        }

        impl $name {
            /// All of them.
            $visibility const ALL: &[Self] = &[$(Self::$variant $(($inner::$example))?,)*];
        }
    };
}
