//! Which addresses a node takes: a network of 65,536 that no interface and no route of this machine has anything in.

use serde_json::Value;
use std::net::Ipv4Addr;

/// The second numbers that are tried: `10.88.0.0/16` to `10.95.0.0/16`. `10.96.0.0/16` is for services.
pub(super) const TRIED: std::ops::RangeInclusive<u8> = 88..=95;

/// A node's network, `10.N.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    /// Its second number.
    pub(super) second: u8,
}

impl Network {
    /// The bridge: every part of the node, and the door of every pod.
    pub(super) const fn node(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.second, 0, 1)
    }

    /// This machine, as pods see it.
    pub(super) const fn machine(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.second, 0, 2)
    }

    /// The first pod.
    pub(super) const fn pods(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.second, 1, 0)
    }

    /// In the usual notation.
    pub(super) fn range(self) -> String {
        format!("10.{}.0.0/16", self.second)
    }

    /// The interface of this machine: its name claims the network, for no two can have one.
    pub(super) fn interface(self) -> String {
        format!("fleetloom{}", self.second)
    }

    /// Whether one of these destinations (`10.88.0.0/16`, `10.0.0.0/8`, `10.88.3.4`, `default`) has anything in it. The default
    /// route has not: the more exact route wins.
    pub(super) fn taken(self, destinations: &[String]) -> bool {
        destinations.iter().filter_map(|text| parse(text)).any(|(address, bits)| {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(16))).unwrap_or(0);
            bits > 0 && (u32::from(address) & mask) == (u32::from(self.node()) & mask)
        })
    }
}

/// The destinations in what `ip -json route show table all` says.
pub(super) fn destinations(routes: &Value) -> Vec<String> {
    let each = routes.as_array().into_iter().flatten();
    each.filter_map(|route| route["dst"].as_str()).map(str::to_owned).collect()
}

fn parse(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
    Some((address.parse().ok()?, bits.parse().ok().filter(|bits| *bits <= 32)?))
}

#[cfg(test)]
mod tests {
    use super::Network;

    fn taken(by: &str) -> bool {
        Network { second: 88 }.taken(&[by.to_owned()])
    }

    #[test]
    fn a_network_is_taken_by_what_it_holds_and_by_what_holds_it() {
        assert!(taken("10.88.0.0/16") && taken("10.88.200.0/24") && taken("10.88.3.4"));
        assert!(taken("10.0.0.0/8") && taken("10.80.0.0/12"));
    }

    #[test]
    fn a_network_is_free_beside_its_neighbours_the_default_route_and_what_is_no_address() {
        assert!(!taken("10.89.0.0/16") && !taken("10.87.255.255") && !taken("192.168.0.0/16"));
        assert!(!taken("default") && !taken("0.0.0.0/0") && !taken("fe80::/64") && !taken("10.88.0.0/99"));
    }
}
