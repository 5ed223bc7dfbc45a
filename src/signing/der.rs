//! The few forms of DER (X.690) in which keys, certificates and ECDSA signatures come. Imports
//! nothing from this crate.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
/// `[0]` and `[1]`, constructed, and `[1]`, primitive.
pub(crate) const CONTEXT_0: u8 = 0xa0;
pub(crate) const CONTEXT_1: u8 = 0xa1;
pub(crate) const CONTEXT_1_PRIMITIVE: u8 = 0x81;

/// Reads one element after the other.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the content of the only element of `bytes`, which must be a sequence.
    pub(crate) fn sequence(bytes: &'a [u8]) -> Option<Self> {
        let mut outer = Self(bytes);
        let inner = outer.take(SEQUENCE)?;
        outer.end()?;
        Some(Self(inner))
    }

    /// Returns tag and content of the next element. A length must be definite, and have no more
    /// bytes than it needs.
    pub(crate) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let digits;
            (digits, rest) = rest.split_at_checked(length - 0x80).filter(|(digits, _)| digits.len() <= 3)?;
            length = digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit));
            if length < 0x80 || digits[0] == 0 {
                return None;
            }
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// Returns the content of the next element if it has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (_, content) = ahead.next().filter(|(found, _)| *found == tag)?;
        *self = ahead;
        Some(content)
    }

    /// Returns the bytes of the next element, an INTEGER that is not negative, without a leading
    /// zero. Zero has no bytes.
    pub(crate) fn unsigned(&mut self) -> Option<&'a [u8]> {
        match self.take(INTEGER)? {
            [] | [0x80..=0xff, ..] | [0, 0..=0x7f, ..] => None,
            [0, rest @ ..] | rest => Some(rest),
        }
    }

    /// Returns the bytes of the next element, a BIT STRING of whole bytes.
    pub(crate) fn bits(&mut self) -> Option<&'a [u8]> {
        self.take(BIT_STRING)?.strip_prefix(&[0])
    }

    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Returns the content of the `SubjectPublicKeyInfo` of a certificate (RFC 5280 section 4.1).
pub(crate) fn public_key_info(certificate: &[u8]) -> Option<Reader<'_>> {
    let mut certificate = Reader::sequence(certificate)?;
    let mut body = Reader::new(certificate.take(SEQUENCE)?);
    body.take(CONTEXT_0); // The version, which version 1 leaves out.
    body.take(INTEGER)?;
    // Signature algorithm, issuer, validity, subject.
    for _ in 0..4 {
        body.take(SEQUENCE)?;
    }
    Some(Reader::new(body.take(SEQUENCE)?))
}

/// Turns an ECDSA signature in DER (RFC 3279 section 2.2.3) into R and S of `size` bytes each
/// (RFC 7518 section 3.4).
pub(crate) fn ecdsa_raw(der: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut parts = Reader::sequence(der)?;
    let (r, s) = (parts.unsigned()?, parts.unsigned()?);
    parts.end()?;
    let mut raw = vec![0; 2 * size];
    for (half, part) in raw.chunks_exact_mut(size).zip([r, s]) {
        // Neither R nor S can be zero (FIPS 186-5 section 6.4).
        let start = size.checked_sub(part.len()).filter(|&start| start < size)?;
        half[start..].copy_from_slice(part);
    }
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
        (0..text.len()).step_by(2).map(digit).collect()
    }

    #[test]
    fn every_ecdsa_der_line_of_keys_jsonl() {
        let rows = crate::signing::tests::rows("ecdsa_der");
        for row in &rows {
            let size = usize::try_from(row["n"].as_u64().expect("a size")).expect("a size");
            let raw = ecdsa_raw(&hex(row["der_hex"].as_str().expect("DER")), size);
            assert_eq!(raw, row["raw_hex"].as_str().map(hex), "{row}");
        }
        assert_eq!(rows.len(), 8);
    }

    #[test]
    fn a_signature_with_a_number_that_is_negative_zero_or_padded_is_refused() {
        for odd in [
            "3006020181020101",     // -127
            "3006020100020101",     // 0
            "3006020101020100",     // 0
            "300702020001020101",   // 0001
            "30810602010102 0101",  // a length of two bytes
            "300602 8101010201 01", // the same inside
            "30800201010201010000", // an indefinite length
            "3106020101020101",     // not a sequence
            "3009020101020101020101",
        ] {
            assert_eq!(ecdsa_raw(&hex(&odd.replace(' ', "")), 32), None, "{odd}");
        }
        assert!(ecdsa_raw(&hex("3006020101020101"), 32).is_some());
    }

    #[test]
    fn lengths_of_one_to_four_bytes_are_read_and_no_element_reaches_beyond_the_end() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
            let digits: Vec<u8> = u32::try_from(length).expect("short").to_be_bytes().to_vec();
            let digits: Vec<u8> = digits.into_iter().skip_while(|&digit| digit == 0).collect();
            let mut bytes = vec![OCTET_STRING];
            if length >= 0x80 {
                bytes.push(0x80 + u8::try_from(digits.len()).expect("few"));
            }
            bytes.extend(if length == 0 { vec![0] } else { digits });
            let start = bytes.len();
            bytes.resize(start + length, 7);
            assert_eq!(Reader::new(&bytes).take(OCTET_STRING).map(<[u8]>::len), Some(length));
            for end in 0..bytes.len().min(300) {
                assert!(Reader::new(&bytes[..end]).next().is_none(), "{length} cut at {end}");
            }
        }
    }
}
