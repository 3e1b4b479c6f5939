//! SIMPLE-TLV in both byte orders.

use apdu::{
    TlvError,
    tlv_simple::{Header, Order, Reader, Tlv, Writer, encoded_len},
};

/// Reading one after the other, by tag and again after writing give the same elements.
pub(super) fn elements_agree(bytes: &[u8], order: Order) {
    let reader = Reader::new(bytes, order);
    let (elements, error) = read_all(reader.clone());
    for tag in elements.iter().map(|element| element.tag).chain([0x01]) {
        let first = elements.iter().find(|element| element.tag == tag).map(|element| element.value);
        let found = match (first, error) {
            (None, Some(error)) => Err(error),
            (first, _) => Ok(first),
        };
        assert_eq!(reader.find(tag), found);
    }
    let length = |element: &Tlv<'_>| encoded_len(element.value.len()).expect("it was read");
    let total: usize = elements.iter().map(length).sum();
    assert!(total <= bytes.len(), "the shortest form is not longer");
    let mut buffer = vec![0; total];
    let mut writer = Writer::new(&mut buffer, order);
    for element in &elements {
        let before = writer.len();
        writer.tlv(element.tag, element.value).expect("the buffer is long enough");
        assert_eq!(writer.len() - before, length(element));
    }
    assert!(writer.raw(&[0]).is_err(), "a full writer takes nothing");
    let written = writer.finish();
    if let Ok((header, rest)) = Header::split(written, order) {
        assert_eq!(rest.len() + header.encode(order).as_slice().len(), written.len());
    }
    assert_eq!(read_all(Reader::new(written, order)), (elements, None));
}

fn read_all(mut reader: Reader<'_>) -> (Vec<Tlv<'_>>, Option<TlvError>) {
    let mut elements = Vec::new();
    loop {
        let before = reader.remaining();
        match reader.next() {
            Ok(Some(element)) => elements.push(element),
            Ok(None) => return (elements, None),
            Err(error) => {
                assert_eq!(reader.remaining(), before, "a reader stays before the element at fault");
                return (elements, Some(error));
            }
        }
    }
}
