//! BER-TLV, and its form with tags of one byte.

use apdu::{
    Tag, TlvError,
    tlv_ber::{Header, Reader, Tlv, Writer, encoded_len},
};

/// Nesting that is followed.
const DEEPEST: u32 = 8;

/// Reading one after the other, as an iterator, by tag and again after writing give the same elements.
pub(super) fn elements_agree(reader: &Reader<'_>, depth: u32) {
    let (elements, error) = read_all(reader.clone());
    let iterated: Vec<_> = reader.clone().into_iter().collect();
    let expected: Vec<_> = elements.iter().copied().map(Ok).chain(error.map(Err)).collect();
    assert_eq!(iterated, expected);

    let unused = Tag::new(0x01);
    for tag in elements.iter().map(|element| element.tag).chain([unused]) {
        let first = elements.iter().find(|element| element.tag == tag).map(|element| element.value);
        let found = match (first, error) {
            (None, Some(error)) => Err(error),
            (first, _) => Ok(first),
        };
        assert_eq!(reader.find(tag), found);
        expects_agree(reader, tag, elements.first(), error);
    }
    written_back(reader, &elements);

    for element in elements.iter().filter(|_| depth < DEEPEST) {
        elements_agree(&Reader::new(element.value), depth + 1);
    }
}

fn read_all(mut reader: Reader<'_>) -> (Vec<Tlv<'_>>, Option<TlvError>) {
    let mut elements = Vec::new();
    loop {
        let before = reader.remaining();
        match reader.next() {
            Ok(Some(element)) => {
                let taken = before.len() - reader.remaining().len();
                assert!(taken >= 2 + element.value.len());
                elements.push(element);
            }
            Ok(None) => return (elements, None),
            Err(error) => {
                assert_eq!(reader.remaining(), before, "a reader stays before the element at fault");
                return (elements, Some(error));
            }
        }
    }
}

/// `expect` and `optional` tell of the first element what `next` does.
fn expects_agree(reader: &Reader<'_>, tag: Tag, first: Option<&Tlv<'_>>, error: Option<TlvError>) {
    let expected = match (first, error) {
        (Some(element), _) if element.tag == tag => Ok(element.value),
        (Some(element), _) => Err(TlvError::UnexpectedTag { wanted: tag, found: element.tag }),
        (None, Some(error)) => Err(error),
        (None, None) => Err(TlvError::Missing(tag)),
    };
    assert_eq!(reader.clone().expect(tag), expected);
    let optional = match expected {
        Ok(value) => Ok(Some(value)),
        Err(TlvError::Missing(_) | TlvError::UnexpectedTag { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    let mut reader = reader.clone();
    let before = reader.remaining();
    assert_eq!(reader.optional(tag), optional);
    assert!(matches!(optional, Ok(Some(_))) || reader.remaining() == before);
}

/// What is written is the shortest form, and is read back alike.
fn written_back(reader: &Reader<'_>, elements: &[Tlv<'_>]) {
    let length = |element: &Tlv<'_>| encoded_len(element.tag, element.value.len()).expect("it was read");
    let total: usize = elements.iter().map(length).sum();
    assert!(total <= reader.remaining().len(), "the shortest form is not longer");
    let mut buffer = vec![0; total];
    let mut writer = Writer::new(&mut buffer);
    for element in elements {
        let header = Header::new(element.tag, element.value.len()).expect("it was read");
        assert_eq!(header.len() + element.value.len(), length(element));
        writer.tlv(element.tag, element.value).expect("the buffer is long enough");
    }
    assert_eq!(writer.space(), 0);
    assert!(writer.raw(&[0]).is_err(), "a full writer takes nothing");
    let written = writer.finish();
    let single = elements.iter().any(|element| !element.tag.is_ber());
    let again = if single { Reader::single_byte_tags(written) } else { Reader::new(written) };
    assert_eq!(read_all(again), (elements.to_vec(), None));
}
