/* MessagePack of what most payloads are made of: None, bool, 64-bit ints, floats, str, lists,
 * and dicts with str as keys, of exactly these types. Whatever is anything else, or wrong, is
 * "unusual": left to msgspec, which knows the rest and has the words for what is wrong. What is not
 * unusual gives the same bytes, and the same values, as there (test_native.py).
 *
 * Nothing here runs other Python code but the decoder where a dict's collection is due.
 */
#ifndef NEURALCORE_MSGPACK_H
#define NEURALCORE_MSGPACK_H

#include <Python.h>
#include <string.h>

#define DEEPEST 64 /* that lists and dicts may lie in each other here */

/* Big-endian. */

static inline void write_big(unsigned char *to, unsigned long long value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        to[i] = (unsigned char)(value >> (8 * (bytes - 1 - i)));
    }
}

static inline unsigned long long read_big(const unsigned char *from, int bytes) {
    unsigned long long value = 0;
    for (int i = 0; i < bytes; i++) {
        value = value << 8 | from[i];
    }
    return value;
}

/* ------------------------------------------------------------------ bytes that grow */

/* What was given away leaves its room for what is to come. */
typedef struct {
    unsigned char *bytes;
    Py_ssize_t size;
    Py_ssize_t room;
} Buffer;

static int buffer_grow(Buffer *buffer, Py_ssize_t more) {
    Py_ssize_t room = buffer->room > 0 ? buffer->room : 1024;
    while (more > room - buffer->size) {
        if (room > PY_SSIZE_T_MAX / 2) {
            PyErr_NoMemory();
            return -1;
        }
        room *= 2;
    }
    unsigned char *bytes = PyMem_Realloc(buffer->bytes, (size_t)room);
    if (bytes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    buffer->bytes = bytes;
    buffer->room = room;
    return 0;
}

/* Room for so many more bytes behind those that are there; NULL with an error if there is none. */
static inline unsigned char *buffer_room(Buffer *buffer, Py_ssize_t more) {
    if ((buffer->bytes == NULL || more > buffer->room - buffer->size) && buffer_grow(buffer, more) < 0) {
        return NULL;
    }
    return buffer->bytes + buffer->size;
}

/* ------------------------------------------------------------------ encoding: 1 done, 0 unusual, -1 error */

static int put_value(Buffer *out, PyObject *value, int depth);

/* A type byte, and a number behind it. */
static inline int put_head(Buffer *out, unsigned char type, unsigned long long number, int bytes) {
    unsigned char *to = buffer_room(out, 1 + bytes);
    if (to == NULL) {
        return -1;
    }
    to[0] = type;
    write_big(to + 1, number, bytes);
    out->size += 1 + bytes;
    return 1;
}

/* How many things follow: in the type byte if they are few. */
static inline int put_count(Buffer *out, Py_ssize_t count, int few, unsigned char small, unsigned char wide) {
    if (count < few) {
        return put_head(out, (unsigned char)(small | count), 0, 0);
    }
    if (count > 0xFFFFFFFFLL) {
        return 0;
    }
    return count <= 0xFFFF ? put_head(out, wide, (unsigned long long)count, 2)
                           : put_head(out, (unsigned char)(wide + 1), (unsigned long long)count, 4);
}

static inline int put_run(Buffer *out, const char *bytes, Py_ssize_t length) {
    unsigned char *to = buffer_room(out, length);
    if (to == NULL) {
        return -1;
    }
    memcpy(to, bytes, (size_t)length);
    out->size += length;
    return 1;
}

/* Whether it has no UTF-8. Asked before, as raising an exception may collect garbage, and so run
 * finalizers, which may publish. */
static int has_surrogate(PyObject *text) {
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    for (Py_ssize_t i = 0; kind != PyUnicode_1BYTE_KIND && i < PyUnicode_GET_LENGTH(text); i++) {
        if (Py_UNICODE_IS_SURROGATE(PyUnicode_READ(kind, data, i))) {
            return 1;
        }
    }
    return 0;
}

static inline int put_text(Buffer *out, PyObject *text) {
    Py_ssize_t length;
    const char *bytes;
    if (PyUnicode_IS_COMPACT_ASCII(text)) {
        length = PyUnicode_GET_LENGTH(text);
        bytes = (const char *)PyUnicode_1BYTE_DATA(text);
    } else {
        if (has_surrogate(text)) {
            return 0;
        }
        bytes = PyUnicode_AsUTF8AndSize(text, &length);
        if (bytes == NULL) {
            return -1;
        }
    }
    int put;
    if (length < 32) {
        put = put_head(out, (unsigned char)(0xA0 | length), 0, 0);
    } else if (length <= 0xFF) {
        put = put_head(out, 0xD9, (unsigned long long)length, 1);
    } else if (length <= 0xFFFF) {
        put = put_head(out, 0xDA, (unsigned long long)length, 2);
    } else if (length <= 0xFFFFFFFFLL) {
        put = put_head(out, 0xDB, (unsigned long long)length, 4);
    } else {
        return 0;
    }
    return put < 0 ? put : put_run(out, bytes, length);
}

static int put_number(Buffer *out, PyObject *value) {
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow) {
        return 0; /* Above 2^63 there is room for as many again. */
    }
    if (number >= 0) {
        return number < 0x80         ? put_head(out, (unsigned char)number, 0, 0)
               : number <= 0xFF      ? put_head(out, 0xCC, (unsigned long long)number, 1)
               : number <= 0xFFFF    ? put_head(out, 0xCD, (unsigned long long)number, 2)
               : number <= 0xFFFFFFFFLL ? put_head(out, 0xCE, (unsigned long long)number, 4)
                                     : put_head(out, 0xCF, (unsigned long long)number, 8);
    }
    unsigned long long bits = (unsigned long long)number;
    return number >= -32             ? put_head(out, (unsigned char)number, 0, 0)
           : number >= -0x80         ? put_head(out, 0xD0, bits, 1)
           : number >= -0x8000       ? put_head(out, 0xD1, bits, 2)
           : number >= -0x80000000LL ? put_head(out, 0xD2, bits, 4)
                                     : put_head(out, 0xD3, bits, 8);
}

/* A key and what lies under it, so deep. */
static inline int put_pair(Buffer *out, PyObject *key, PyObject *value, int depth) {
    int put = put_text(out, key);
    return put > 0 ? put_value(out, value, depth) : put;
}

static int put_dict(Buffer *out, PyObject *dict, int depth) {
    PyObject *key, *value;
    Py_ssize_t place = 0;
    int put = depth < DEEPEST ? put_count(out, PyDict_GET_SIZE(dict), 16, 0x80, 0xDE) : 0;
    while (put > 0 && PyDict_Next(dict, &place, &key, &value)) {
        put = PyUnicode_CheckExact(key) ? put_pair(out, key, value, depth + 1) : 0;
    }
    return put;
}

static int put_list(Buffer *out, PyObject *list, int depth) {
    int put = depth < DEEPEST ? put_count(out, PyList_GET_SIZE(list), 16, 0x90, 0xDC) : 0;
    for (Py_ssize_t i = 0; put > 0 && i < PyList_GET_SIZE(list); i++) {
        put = put_value(out, PyList_GET_ITEM(list, i), depth + 1);
    }
    return put;
}

static int put_value(Buffer *out, PyObject *value, int depth) {
    if (PyUnicode_CheckExact(value)) {
        return put_text(out, value);
    }
    if (PyLong_CheckExact(value)) {
        return put_number(out, value);
    }
    if (PyFloat_CheckExact(value)) {
        double number = PyFloat_AS_DOUBLE(value);
        unsigned long long bits;
        memcpy(&bits, &number, 8);
        return put_head(out, 0xCB, bits, 8);
    }
    if (value == Py_None || value == Py_True || value == Py_False) {
        return put_head(out, value == Py_None ? 0xC0 : value == Py_True ? 0xC3 : 0xC2, 0, 0);
    }
    if (PyDict_CheckExact(value)) {
        return put_dict(out, value, depth);
    }
    return PyList_CheckExact(value) ? put_list(out, value, depth) : 0;
}

/* ------------------------------------------------------------------ an object's fields: 1, 0, -1 as above */

static PyObject *payload_key, *priority_key, *headers_key, *type_key;

/* The fields that are not None, but the payload always, and the name of their class. An
 * enumeration's priority is the number that it is. */
static int put_fields(Buffer *out, PyObject *fields, PyObject *class_name) {
    PyObject *key, *value;
    Py_ssize_t place = 0, count = 1;
    while (PyDict_Next(fields, &place, &key, &value)) {
        if (!PyUnicode_CheckExact(key)) {
            return 0; /* Looking among such could run code of their class. */
        }
        count += value != Py_None;
    }
    PyObject *payload = PyDict_GetItemWithError(fields, payload_key);
    PyObject *priority = PyDict_GetItemWithError(fields, priority_key);
    if (payload == NULL || PyDict_Contains(fields, type_key)) {
        return PyErr_Occurred() ? -1 : 0;
    }
    int put = put_count(out, count + (payload == Py_None), 16, 0x80, 0xDE);
    place = 0;
    while (put > 0 && PyDict_Next(fields, &place, &key, &value)) {
        if (value == Py_None) {
            continue;
        }
        put = put_text(out, key);
        if (put > 0) {
            int is_rank = value == priority && PyLong_Check(value) && !PyBool_Check(value);
            put = is_rank ? put_number(out, value) : put_value(out, value, 1);
        }
    }
    if (put > 0 && payload == Py_None) {
        put = put_pair(out, payload_key, payload, 1);
    }
    return put > 0 ? put_pair(out, type_key, class_name, 1) : put;
}

/* Of the fields, which `put_fields` has taken, those of these names that are not None; the headers
 * if there are any; and the name of their class. */
static int put_context(Buffer *out, PyObject *fields, PyObject *names, PyObject *class_name) {
    PyObject *headers = PyDict_GetItemWithError(fields, headers_key);
    int has_headers = headers != NULL && headers != Py_None;
    if (has_headers && !PyDict_CheckExact(headers)) {
        return 0;
    }
    has_headers = has_headers && PyDict_GET_SIZE(headers) > 0;
    Py_ssize_t count = 1 + has_headers;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        PyObject *value = PyDict_GetItemWithError(fields, PyTuple_GET_ITEM(names, i));
        count += value != NULL && value != Py_None;
    }
    int put = put_count(out, count, 16, 0x80, 0xDE);
    for (Py_ssize_t i = 0; put > 0 && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *value = PyDict_GetItemWithError(fields, PyTuple_GET_ITEM(names, i));
        if (value != NULL && value != Py_None) {
            put = put_pair(out, PyTuple_GET_ITEM(names, i), value, 1);
        }
    }
    if (put > 0 && has_headers) {
        put = put_pair(out, headers_key, headers, 1);
    }
    return put > 0 ? put_pair(out, type_key, class_name, 1) : put;
}

/* ------------------------------------------------------------------ decoding: NULL without an error if unusual */

typedef struct {
    const unsigned char *at;
    const unsigned char *end;
    Py_ssize_t promised; /* values of what is open that are still to come, a byte each at least */
} Encoded;

/* Takes so many values for promised if there are bytes for them all, so that what is allocated in
 * advance never is more than the bytes can fill. */
static inline int promise(Encoded *from, unsigned long long values) {
    Py_ssize_t left = from->end - from->at - from->promised;
    if (left < 0 || values > (unsigned long long)left) {
        return 0;
    }
    from->promised += (Py_ssize_t)values;
    return 1;
}

/* The keys that were met last: most messages have those of the ones before. They stay for good. */
#define KNOWN_KEYS 256
#define LONGEST_KEY 32
static PyObject *known_keys[KNOWN_KEYS];

static PyObject *take_value(Encoded *from, int depth);

static inline int take_number(Encoded *from, int bytes, unsigned long long *number) {
    if (from->end - from->at < bytes) {
        return 0;
    }
    *number = read_big(from->at, bytes);
    from->at += bytes;
    return 1;
}

static inline int is_ascii(const unsigned char *bytes, Py_ssize_t length) {
    unsigned long long eight;
    unsigned char rest = 0;
    for (; length >= 8; length -= 8, bytes += 8) {
        memcpy(&eight, bytes, 8);
        if (eight & 0x8080808080808080ULL) {
            return 0;
        }
    }
    for (; length > 0; length--) {
        rest |= *bytes++;
    }
    return rest < 0x80;
}

static inline PyObject *made_text(const unsigned char *bytes, Py_ssize_t length) {
    if (length == 0 || !is_ascii(bytes, length)) {
        PyObject *text = PyUnicode_DecodeUTF8((const char *)bytes, length, NULL);
        if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
            PyErr_Clear();
        }
        return text;
    }
    PyObject *text = PyUnicode_New(length, 127);
    if (text != NULL) {
        memcpy(PyUnicode_1BYTE_DATA(text), bytes, (size_t)length);
    }
    return text;
}

/* Text of a length that has been read. */
static inline PyObject *take_text(Encoded *from, unsigned long long length) {
    if ((unsigned long long)(from->end - from->at) < length) {
        return NULL;
    }
    const unsigned char *bytes = from->at;
    from->at += length;
    return made_text(bytes, (Py_ssize_t)length);
}

static PyObject *take_key(Encoded *from) {
    if (from->at == from->end) {
        return NULL;
    }
    unsigned char type = *from->at;
    Py_ssize_t length = type & 0x1F;
    if ((type & 0xE0) != 0xA0 || length == 0) {
        return type >= 0xD9 && type <= 0xDB ? take_value(from, DEEPEST) : NULL;
    }
    if (from->end - from->at - 1 < length) {
        return NULL;
    }
    const unsigned char *bytes = from->at + 1;
    from->at += 1 + length;
    unsigned hash = (unsigned)length;
    for (Py_ssize_t i = 0; i < length; i++) {
        hash = hash * 31 + bytes[i];
    }
    PyObject **known = &known_keys[(hash ^ hash >> 8) % KNOWN_KEYS];
    if (*known != NULL && PyUnicode_GET_LENGTH(*known) == length &&
        memcmp(PyUnicode_1BYTE_DATA(*known), bytes, (size_t)length) == 0) {
        return Py_NewRef(*known);
    }
    PyObject *key = made_text(bytes, length);
    if (key != NULL && PyUnicode_IS_COMPACT_ASCII(key)) {
        Py_XSETREF(*known, Py_NewRef(key));
    }
    return key;
}

static inline PyObject *new_dict(Py_ssize_t count) {
#if PY_VERSION_HEX < 0x030D0000
    return _PyDict_NewPresized(count); /* Else it is made anew at the sixth. */
#else
    return PyDict_New();
#endif
}

static PyObject *take_dict(Encoded *from, unsigned long long count, int depth) {
    if (depth >= DEEPEST || !promise(from, 2 * count)) {
        return NULL;
    }
    PyObject *dict = new_dict((Py_ssize_t)count);
    for (; dict != NULL && count > 0; count--) {
        from->promised -= 2;
        PyObject *key = take_key(from);
        PyObject *value = key == NULL ? NULL : take_value(from, depth + 1);
        if (value == NULL || PyDict_SetItem(dict, key, value) < 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *take_list(Encoded *from, unsigned long long count, int depth) {
    if (depth >= DEEPEST || !promise(from, count)) {
        return NULL;
    }
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (Py_ssize_t i = 0; list != NULL && i < (Py_ssize_t)count; i++) {
        from->promised--;
        PyObject *value = take_value(from, depth + 1);
        if (value == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, i, value);
        }
    }
    return list;
}

static PyObject *take_float(Encoded *from, int bytes) {
    unsigned long long bits;
    if (!take_number(from, bytes, &bits)) {
        return NULL;
    }
    if (bytes == 4) {
        unsigned narrow = (unsigned)bits;
        float number;
        memcpy(&number, &narrow, 4);
        return PyFloat_FromDouble(number);
    }
    double number;
    memcpy(&number, &bits, 8);
    return PyFloat_FromDouble(number);
}

/* A negative number of so many bytes. */
static PyObject *take_signed(Encoded *from, int bytes) {
    unsigned long long number;
    if (!take_number(from, bytes, &number)) {
        return NULL;
    }
    int unused = 64 - 8 * bytes;
    return PyLong_FromLongLong((long long)(number << unused) >> unused);
}

static PyObject *take_value(Encoded *from, int depth) {
    unsigned long long number;
    if (from->at == from->end) {
        return NULL;
    }
    unsigned char type = *from->at++;
    if (type < 0x80 || type >= 0xE0) {
        return PyLong_FromLong((signed char)type);
    }
    if (type < 0x90) {
        return take_dict(from, type & 0x0F, depth);
    }
    if (type < 0xA0) {
        return take_list(from, type & 0x0F, depth);
    }
    if (type < 0xC0) {
        return take_text(from, type & 0x1F);
    }
    switch (type) {
    case 0xC0:
        return Py_NewRef(Py_None);
    case 0xC2:
        return Py_NewRef(Py_False);
    case 0xC3:
        return Py_NewRef(Py_True);
    case 0xCA:
    case 0xCB:
        return take_float(from, type == 0xCA ? 4 : 8);
    case 0xCC:
    case 0xCD:
    case 0xCE:
    case 0xCF:
        return take_number(from, 1 << (type - 0xCC), &number) ? PyLong_FromUnsignedLongLong(number) : NULL;
    case 0xD0:
    case 0xD1:
    case 0xD2:
    case 0xD3:
        return take_signed(from, 1 << (type - 0xD0));
    case 0xD9:
    case 0xDA:
    case 0xDB:
        return take_number(from, 1 << (type - 0xD9), &number) ? take_text(from, number) : NULL;
    case 0xDC:
    case 0xDD:
        return take_number(from, type == 0xDC ? 2 : 4, &number) ? take_list(from, number, depth) : NULL;
    case 0xDE:
    case 0xDF:
        return take_number(from, type == 0xDE ? 2 : 4, &number) ? take_dict(from, number, depth) : NULL;
    default:
        return NULL; /* Bytes, extension types, and what is none. */
    }
}

/* All of the bytes; NULL without an error if they are unusual. */
static PyObject *decode_msgpack(const unsigned char *bytes, Py_ssize_t size) {
    Encoded from = {bytes, bytes + size, 0};
    PyObject *value = take_value(&from, 0);
    if (value != NULL && from.at != from.end) {
        Py_CLEAR(value);
    }
    return value;
}

#endif
