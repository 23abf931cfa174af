//! Text as bytes in an encoding that is named as Python names it, with Python's ways to treat what
//! it has no bytes for.

/// An encoding that a file can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8 {
        mark: bool,
    },
    /// One byte a letter, up to this code point.
    Single(u32),
    Utf16 {
        mark: bool,
        big: bool,
    },
    Utf32 {
        mark: bool,
        big: bool,
    },
}

fn named(name: &str) -> Option<Encoding> {
    Some(match name.to_lowercase().replace(['_', ' '], "-").as_str() {
        "utf-8" | "utf8" | "u8" | "cp65001" => Encoding::Utf8 { mark: false },
        "utf-8-sig" => Encoding::Utf8 { mark: true },
        "ascii" | "us-ascii" | "646" => Encoding::Single(0x7f),
        "latin-1" | "latin1" | "latin" | "l1" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819" => Encoding::Single(0xff),
        "utf-16" | "utf16" | "u16" => Encoding::Utf16 { mark: true, big: false },
        "utf-16-le" | "utf-16le" => Encoding::Utf16 { mark: false, big: false },
        "utf-16-be" | "utf-16be" => Encoding::Utf16 { mark: false, big: true },
        "utf-32" | "utf32" | "u32" => Encoding::Utf32 { mark: true, big: false },
        "utf-32-le" | "utf-32le" => Encoding::Utf32 { mark: false, big: false },
        "utf-32-be" | "utf-32be" => Encoding::Utf32 { mark: false, big: true },
        _ => return None,
    })
}

/// A text's bytes. `errors` says what becomes of letters without bytes: `strict` (an error),
/// `ignore`, `replace`, `xmlcharrefreplace`, `backslashreplace`.
///
/// # Errors
/// An encoding or a way that is not known, and with `strict` the first letter without bytes.
pub fn encode(text: &str, encoding: &str, errors: &str) -> Result<Vec<u8>, String> {
    let kind = named(encoding).ok_or_else(|| format!("unknown encoding: {encoding}"))?;
    let mut out = Vec::with_capacity(text.len());
    match kind {
        Encoding::Utf8 { mark } => {
            out.extend_from_slice(if mark { b"\xef\xbb\xbf" } else { b"" });
            out.extend_from_slice(text.as_bytes());
        }
        Encoding::Single(last) => single(&mut out, text, last, encoding, errors)?,
        Encoding::Utf16 { mark, big } => {
            let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
            out.extend(units.flat_map(|unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }));
        }
        Encoding::Utf32 { mark, big } => {
            let units = mark.then_some(0xfeff).into_iter().chain(text.chars().map(u32::from));
            out.extend(units.flat_map(|unit: u32| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }));
        }
    }
    Ok(out)
}

/// What bytes in an encoding say.
///
/// # Errors
/// An encoding that is not known, and bytes that are none of it.
pub fn decode(bytes: &[u8], encoding: &str) -> Result<String, String> {
    let kind = named(encoding).ok_or_else(|| format!("unknown encoding: {encoding}"))?;
    let malformed = || format!("'{encoding}' codec can't decode the file");
    let mark = |mark: &[u8], bytes: &[u8]| bytes.strip_prefix(mark).map(<[u8]>::to_vec);
    match kind {
        Encoding::Utf8 { mark: skipped } => {
            let bytes = mark(b"\xef\xbb\xbf", bytes).filter(|_| skipped).unwrap_or_else(|| bytes.to_vec());
            String::from_utf8(bytes).map_err(|_| malformed())
        }
        Encoding::Single(last) => {
            let letter = |byte: &u8| char::from_u32(u32::from(*byte)).filter(|letter| u32::from(*letter) <= last);
            bytes.iter().map(letter).collect::<Option<String>>().ok_or_else(malformed)
        }
        Encoding::Utf16 { mark: marked, big } => {
            let (units, odd) = bytes.as_chunks::<2>();
            let big = big || marked && units.first() == Some(&[0xfe, 0xff]);
            let units =
                units.iter().map(|unit| if big { u16::from_be_bytes(*unit) } else { u16::from_le_bytes(*unit) });
            let text: Result<String, _> = char::decode_utf16(
                units.enumerate().filter(|(at, unit)| !(marked && *at == 0 && *unit == 0xfeff)).map(|(_, unit)| unit),
            )
            .collect();
            text.ok().filter(|_| odd.is_empty()).ok_or_else(malformed)
        }
        Encoding::Utf32 { mark: marked, big } => {
            let (units, odd) = bytes.as_chunks::<4>();
            let big = big || marked && units.first() == Some(&[0, 0, 0xfe, 0xff]);
            let units =
                units.iter().map(|unit| if big { u32::from_be_bytes(*unit) } else { u32::from_le_bytes(*unit) });
            let text: Option<String> = units
                .enumerate()
                .filter(|(at, unit)| !(marked && *at == 0 && *unit == 0xfeff))
                .map(|(_, unit)| char::from_u32(unit))
                .collect();
            text.filter(|_| odd.is_empty()).ok_or_else(malformed)
        }
    }
}

fn single(out: &mut Vec<u8>, text: &str, last: u32, encoding: &str, errors: &str) -> Result<(), String> {
    for (at, letter) in text.chars().enumerate() {
        let code = u32::from(letter);
        if code <= last {
            out.push(u8::try_from(code).unwrap_or(b'?'));
            continue;
        }
        match errors {
            "ignore" => {}
            "replace" => out.push(b'?'),
            "xmlcharrefreplace" => out.extend_from_slice(format!("&#{code};").as_bytes()),
            "backslashreplace" => out.extend_from_slice(escaped(code).as_bytes()),
            "strict" => {
                return Err(format!(
                    "'{encoding}' codec can't encode character '{}' in position {at}: ordinal not in range({})",
                    escaped(code),
                    last + 1
                ));
            }
            other => return Err(format!("unknown error handler name '{other}'")),
        }
    }
    Ok(())
}

fn escaped(code: u32) -> String {
    match code {
        0..=0xff => format!("\\x{code:02x}"),
        0x100..=0xffff => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded() {
        for name in ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"] {
            let bytes = encode("a grün\n", name, "strict").unwrap();
            assert_eq!(decode(&bytes, name).unwrap(), "a grün\n", "{name}");
        }
        assert_eq!(decode(b"\xfe\xff\0a", "utf-16").unwrap(), "a");
        for (bytes, name) in [(&b"\xff"[..], "utf-8"), (b"\xff", "ascii"), (b"a", "utf-16"), (b"a", "nothing")] {
            assert!(decode(bytes, name).is_err(), "{name}");
        }
    }

    #[test]
    fn letters_without_bytes_are_treated_as_asked() {
        let ascii = |errors| encode("é€x", "ascii", errors);
        assert_eq!(ascii("ignore").unwrap(), b"x");
        assert_eq!(ascii("replace").unwrap(), b"??x");
        assert_eq!(ascii("xmlcharrefreplace").unwrap(), b"&#233;&#8364;x");
        assert_eq!(ascii("backslashreplace").unwrap(), b"\\xe9\\u20acx");
        assert!(ascii("strict").unwrap_err().contains("position 0"));
        assert!(ascii("nonsense").is_err());
    }

    #[test]
    fn encodings_have_pythons_names() {
        assert_eq!(encode("é", "latin-1", "strict").unwrap(), [0xe9]);
        assert_eq!(encode("é", "UTF_8", "strict").unwrap(), "é".as_bytes());
        assert_eq!(encode("a", "utf-16", "strict").unwrap(), [0xff, 0xfe, b'a', 0]);
        assert_eq!(encode("a", "utf-32-be", "strict").unwrap(), [0, 0, 0, b'a']);
        assert!(encode("a", "no-such", "strict").is_err());
    }
}
