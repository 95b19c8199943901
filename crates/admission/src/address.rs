//! Ranges of network addresses that a token may be used from.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A range of addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address alone.
///
/// IPv4 addresses written inside IPv6 (`::ffff:192.0.2.1`) are the IPv4 addresses they stand for:
/// a dual-stack listener reports its IPv4 peers that way.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressRange {
    network: IpAddr,
    prefix_length: u8,
}

/// Why a text is not a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressRangeError {
    /// The part before the slash is not an address.
    #[error(
        "`{0}` is not an address range: write it like 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7"
    )]
    Address(String),
    /// The part behind the slash is not a length that fits.
    #[error("`{text}`: the number behind the slash must be from 0 to {longest}")]
    Length {
        /// What was given.
        text: String,
        /// The longest prefix of this family.
        longest: u8,
    },
    /// Bits are set behind the prefix: one of the two numbers is a slip.
    #[error("`{text}` has bits set behind its prefix; write {network} if you mean the whole range")]
    HostBits {
        /// What was given.
        text: String,
        /// The range it lies in.
        network: AddressRange,
    },
}

impl AddressRange {
    /// Whether the address lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.network.is_ipv4()
            && network_of(address, self.prefix_length) == self.network
    }
}

/// The address with every bit behind the prefix cleared.
fn network_of(address: IpAddr, prefix_length: u8) -> IpAddr {
    let prefix_length = u32::from(prefix_length);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix_length).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix_length).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl FromStr for AddressRange {
    type Err = AddressRangeError;

    fn from_str(text: &str) -> Result<Self, AddressRangeError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let given: IpAddr = address
            .parse()
            .map_err(|_| AddressRangeError::Address(text.to_owned()))?;
        let longest = if given.is_ipv4() { 32 } else { 128 };
        let wrong_length = || AddressRangeError::Length {
            text: text.to_owned(),
            longest,
        };
        let length = match length {
            None => longest,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong_length())?
            }
            Some(_) => return Err(wrong_length()),
        };
        if length > longest {
            return Err(wrong_length());
        }
        // A mapped range wider than all of IPv4 would also hold real IPv6; it stays what it is.
        let (address, prefix_length) = match given.to_canonical() {
            IpAddr::V4(inner) if given.is_ipv6() && length >= 96 => (inner.into(), length - 96),
            IpAddr::V4(_) if given.is_ipv6() => (given, length),
            address => (address, length),
        };
        let network = network_of(address, prefix_length);
        let range = Self {
            network,
            prefix_length,
        };
        if network != address {
            return Err(AddressRangeError::HostBits {
                text: text.to_owned(),
                network: range,
            });
        }
        Ok(range)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix_length)
    }
}

impl fmt::Debug for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(range: &str, address: &str) -> bool {
        let range: AddressRange = range.parse().unwrap();
        range.contains(address.parse().unwrap())
    }

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        for (range, address, inside) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
        ] {
            assert_eq!(holds(range, address), inside, "{address} in {range}");
        }
    }

    #[test]
    fn slips_are_refused_with_the_reason() {
        for (text, part) in [
            ("", "is not an address range"),
            ("localhost", "is not an address range"),
            ("192.0.2.0/", "from 0 to 32"),
            ("192.0.2.0/33", "from 0 to 32"),
            ("192.0.2.0/+8", "from 0 to 32"),
            ("2001:db8::/129", "from 0 to 128"),
            ("10.1.2.3/8", "write 10.0.0.0/8"),
            ("::ffff:10.1.2.3/104", "write 10.0.0.0/8"),
        ] {
            let message = text.parse::<AddressRange>().unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn a_range_reads_back_what_it_writes(bits: u128, length in 0_u8..=128, four: bool) {
            let (address, length) = if four {
                (IpAddr::from(Ipv4Addr::from_bits(bits as u32)), length % 33)
            } else {
                (IpAddr::from(Ipv6Addr::from_bits(bits)), length)
            };
            let network = network_of(address, length);
            if let Ok(range) = format!("{network}/{length}").parse::<AddressRange>() {
                prop_assert_eq!(range.to_string().parse::<AddressRange>().unwrap(), range);
                prop_assert!(range.contains(network));
            }
        }

        #[test]
        fn membership_is_agreement_of_the_first_bits(
            network: u32, address: u32, length in 0_u8..=32,
        ) {
            let range = AddressRange {
                network: network_of(Ipv4Addr::from_bits(network).into(), length),
                prefix_length: length,
            };
            let agree = (0..u32::from(length)).all(|bit| {
                let place = 31 - bit;
                (network >> place) & 1 == (address >> place) & 1
            });
            prop_assert_eq!(range.contains(Ipv4Addr::from_bits(address).into()), agree);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-f:./]{0,45}") {
            let _ = text.parse::<AddressRange>();
        }
    }
}
