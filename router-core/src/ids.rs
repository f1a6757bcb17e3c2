//! Small integer names for the things a policy defines.
//!
//! An id is handed out once for the life of a [`State`](crate::State) and never reused, so a request
//! that began under an older policy still settles against the right counters after a reload.

/// Declares an id newtype over `u16`.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u16);

        impl $name {
            /// The id with this position in its table.
            #[must_use]
            pub const fn new(index: u16) -> Self {
                Self(index)
            }

            /// The position in a table indexed by this id.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id! {
    /// A provider entry: one address, one dialect, one key.
    ProviderId
}
id! {
    /// A model as one provider serves it.
    ModelId
}
id! {
    /// A caller's organisation. [`TenantId::ANONYMOUS`] where no tenants are configured.
    TenantId
}
id! {
    /// A rule's position in its policy. Valid for one [`Snapshot`](crate::Snapshot) only.
    RuleIndex
}
id! {
    /// A profile's position in its policy. Valid for one [`Snapshot`](crate::Snapshot) only.
    ProfileIndex
}

impl TenantId {
    /// The one caller of a router without configured tenants.
    pub const ANONYMOUS: Self = Self(0);
}
