//! Kubernetes quantities, as far as bytes of memory need them: `1Gi`, `500M`, `1e9`, `0.5Gi`.

/// Bytes of a quantity, rounded up; `None` for what is none, is negative, or is more than can be counted.
pub fn bytes(text: &str) -> Option<u64> {
    let number = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (number, unit) = text.split_at(number);
    let factor = match unit {
        "m" => 1e-3,
        "u" => 1e-6,
        "n" => 1e-9,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        exponent => 10f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    // Whole bytes up to 8 PiB are exact in a float, and no pod has more.
    let bytes = (number.parse::<f64>().ok()? * factor).ceil();
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    (0.0..=EXACT_MAX).contains(&bytes).then(|| format!("{bytes:.0}").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_of_memory_are_bytes() {
        for (text, expected) in [
            ("1Gi", 1 << 30),
            ("512Mi", 512 << 20),
            ("1G", 1_000_000_000),
            ("1e3", 1000),
            ("0.5Ki", 512),
            ("1500m", 2),
            ("0", 0),
        ] {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in ["", "Gi", "1GB", "-1", "1e", "1.2.3", "100Ei"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
