/* What a message bus does once a message, in C: putting what is published into its batch, making a
 * frame of it, taking deliver frames apart, and calling handlers. Each has its twin in Python
 * (messaging.py and outbox.py, batch.py, receive.py, dispatch.py, message.py), which runs where there was no
 * compiler when the package was installed; the tests run both ways. docs/protocol.md has the layouts.
 *
 * Between looking at something and changing it nothing here runs other Python code, so that a
 * change is one step for other threads.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <string.h>
#include <time.h>

#include "_inbox.h"
#include "_msgpack.h"

#define PUBLISHED_BYTES 40
#define DELIVERED_BYTES 72
#define BLOCK 4096 /* messages are numbered in blocks; three hexadecimal digits tell them apart */
#define DIGITS 29  /* of an id, those that a block's messages have in common */
#define CHANNELS_DEFAULT LLONG_MIN /* the priority by which the bridge's clients name a channel's own; nobody's */
#define FULL_MESSAGES 512
#define FULL_BYTES (256 * 1024) /* of bodies */
#define LARGE (1 << 20)         /* a payload that the long way looks at */
#define MSGPACK 2

static const char HEX[] = "0123456789abcdef";

/* Little-endian on every machine; compilers make a single move of it where that is the order. */

static void write_int(unsigned char *to, unsigned long long value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        to[i] = (unsigned char)(value >> (8 * i));
    }
}

static unsigned long long read_int(const unsigned char *from, int bytes) {
    unsigned long long value = 0;
    for (int i = 0; i < bytes; i++) {
        value |= (unsigned long long)from[i] << (8 * i);
    }
    return value;
}

/* ------------------------------------------------------------------ publishing */

static PyObject *buffer_bytes(const Buffer *buffer) {
    return PyBytes_FromStringAndSize((const char *)buffer->bytes, buffer->size);
}

static void buffer_free(Buffer *buffer) {
    PyMem_Free(buffer->bytes);
    memset(buffer, 0, sizeof(Buffer));
}

typedef struct {
    PyObject_HEAD
    PyObject *batch;
    PyObject *indexes; /* of the batch */
    Buffer entries;
    Buffer bodies;
    Py_ssize_t count;
    PyObject *make_id;
    PyObject *put_slowly;
    PyObject *hurry;
    PyObject *digits;
    PyObject *channels; /* of the short way: a dict of default priorities, or NULL */
    PyObject *encode;
    long payload_type;
    unsigned long long block_start;
    unsigned long flush_in;
    int next;
    char open;
} Filling;

static int filling_init(Filling *self, PyObject *args, PyObject *kwargs) {
    PyObject *make_id, *put_slowly, *hurry;
    if (!PyArg_ParseTuple(args, "OOO", &make_id, &put_slowly, &hurry)) {
        return -1;
    }
    Py_XSETREF(self->make_id, Py_NewRef(make_id));
    Py_XSETREF(self->put_slowly, Py_NewRef(put_slowly));
    Py_XSETREF(self->hurry, Py_NewRef(hurry));
    self->next = BLOCK;
    self->open = 0;
    return 0;
}

static int filling_traverse(Filling *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->batch);
    Py_VISIT(self->indexes);
    Py_VISIT(self->make_id);
    Py_VISIT(self->put_slowly);
    Py_VISIT(self->hurry);
    Py_VISIT(self->digits);
    Py_VISIT(self->channels);
    Py_VISIT(self->encode);
    return 0;
}

static int filling_clear(Filling *self) {
    Py_CLEAR(self->batch);
    Py_CLEAR(self->indexes);
    Py_CLEAR(self->make_id);
    Py_CLEAR(self->put_slowly);
    Py_CLEAR(self->hurry);
    Py_CLEAR(self->digits);
    Py_CLEAR(self->channels);
    Py_CLEAR(self->encode);
    return 0;
}

static void filling_dealloc(Filling *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    filling_clear(self);
    buffer_free(&self->entries);
    buffer_free(&self->bodies);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *filling_get_batch(Filling *self, void *closure) {
    if (self->batch == NULL) {
        PyErr_SetString(PyExc_AttributeError, "batch");
        return NULL;
    }
    return Py_NewRef(self->batch);
}

static int filling_set_batch(Filling *self, PyObject *batch, void *closure) {
    if (batch == NULL) {
        PyErr_SetString(PyExc_AttributeError, "batch");
        return -1;
    }
    PyObject *indexes = PyObject_GetAttrString(batch, "indexes");
    if (indexes == NULL) {
        return -1;
    }
    if (!PyDict_CheckExact(indexes)) {
        PyErr_SetString(PyExc_TypeError, "a batch has a dict of indexes");
        Py_DECREF(indexes);
        return -1;
    }
    Py_XSETREF(self->batch, Py_NewRef(batch));
    Py_XSETREF(self->indexes, indexes);
    return 0;
}

static PyObject *filling_get_digits(Filling *self, void *closure) {
    return self->digits ? Py_NewRef(self->digits) : PyUnicode_FromString("");
}

static int filling_set_digits(Filling *self, PyObject *digits, void *closure) {
    if (digits == NULL || !PyUnicode_CheckExact(digits) || !PyUnicode_IS_COMPACT_ASCII(digits) ||
        PyUnicode_GET_LENGTH(digits) != DIGITS) {
        PyErr_Format(PyExc_ValueError, "%d digits are needed", DIGITS);
        return -1;
    }
    Py_XSETREF(self->digits, Py_NewRef(digits));
    return 0;
}

static PyTypeObject *message_id_type;

static PyObject *make_id(Filling *self, int number) {
    PyObject *text = PyUnicode_New(DIGITS + 3, 127);
    if (text == NULL) {
        return NULL;
    }
    Py_UCS1 *to = PyUnicode_1BYTE_DATA(text);
    memcpy(to, PyUnicode_1BYTE_DATA(self->digits), DIGITS);
    to[DIGITS] = HEX[number >> 8];
    to[DIGITS + 1] = HEX[(number >> 4) & 15];
    to[DIGITS + 2] = HEX[number & 15];
    if (self->make_id == (PyObject *)message_id_type) {
        /* Nobody has seen the str yet. It is freed by its type, which has no fields of its own and
         * the allocator of str, so that it may be one of those: a third of the time of a copy. */
        Py_SET_TYPE(text, (PyTypeObject *)Py_NewRef(message_id_type));
        return text;
    }
    PyObject *id = PyObject_CallOneArg(self->make_id, text);
    Py_DECREF(text);
    return id;
}

/* A message with nothing but these. The meta may be NULL; so may the encoded payload, where there is
 * a value to be encoded as MessagePack, and perhaps one for the meta. With a class's name, the value
 * is an object's fields, and the meta's names those which it gets. */
typedef struct {
    PyObject *channel;
    long long priority;
    long payload_type;
    PyObject *payload;
    PyObject *value;
    long meta_type;
    PyObject *meta;
    PyObject *meta_value;
    PyObject *class_name;
    unsigned long long ttl;
} Said;

/* The entry of a publish frame: number, time, priority, lengths, ttl, channel, types. */
static void write_entry(
    unsigned char *to, unsigned long long number, const Said *said, Py_ssize_t payload_bytes,
    Py_ssize_t meta_bytes, long index) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    write_int(to, number, 8);
    write_int(to + 8, (unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec, 8);
    write_int(to + 16, (unsigned long long)said->priority, 8);
    write_int(to + 24, (unsigned long long)payload_bytes, 4);
    write_int(to + 28, (unsigned long long)meta_bytes, 4);
    write_int(to + 32, said->ttl, 4);
    write_int(to + 36, (unsigned long long)index, 2);
    write_int(to + 38, (unsigned long long)said->payload_type, 1);
    write_int(to + 39, (unsigned long long)said->meta_type, 1);
}

/* Adds a body to those that there is room for. */
static void add_body(Filling *self, PyObject *body) {
    memcpy(self->bodies.bytes + self->bodies.size, PyBytes_AS_STRING(body), (size_t)PyBytes_GET_SIZE(body));
    self->bodies.size += PyBytes_GET_SIZE(body);
}

/* The number under which the batch's entries name a channel; -1 if the long way has to find it. */
static long channel_index(Filling *self, PyObject *channel) {
    if (!PyUnicode_CheckExact(channel)) {
        return -1; /* Looking it up could run code of its class. */
    }
    PyObject *known = PyDict_GetItemWithError(self->indexes, channel);
    if (known != NULL) {
        return PyLong_AsLong(known);
    }
    Py_ssize_t count = PyDict_GET_SIZE(self->indexes);
    if (PyErr_Occurred() || count >= 0xFFFF) {
        return -1;
    }
    PyObject *index = PyLong_FromSsize_t(count);
    int added = index == NULL ? -1 : PyDict_SetItem(self->indexes, channel, index);
    Py_XDECREF(index);
    return added < 0 ? -1 : (long)count;
}

/* Adds bytes, or a value's, to the bodies: 1 if it did, 0 if it is for the long way. */
static int put_body(Filling *self, PyObject *bytes, PyObject *value) {
    if (bytes == NULL) {
        return value == NULL ? 1 : put_value(&self->bodies, value, 0);
    }
    if (buffer_room(&self->bodies, PyBytes_GET_SIZE(bytes)) == NULL) {
        return -1;
    }
    add_body(self, bytes);
    return 1;
}

static int put_payload(Filling *self, const Said *said) {
    return said->class_name == NULL ? put_body(self, said->payload, said->value)
                                    : put_fields(&self->bodies, said->value, said->class_name);
}

static int put_meta(Filling *self, const Said *said) {
    return said->class_name == NULL ? put_body(self, said->meta, said->meta_value)
                                    : put_context(&self->bodies, said->value, said->meta_value, said->class_name);
}

/* Adds a message if that takes nothing but adding it: 1 if it did, 0 if it is for the long way. */
static int try_put(Filling *self, const Said *said, PyObject **id) {
    if (!self->open || self->next >= BLOCK || self->digits == NULL || said->priority == CHANNELS_DEFAULT ||
        !(said->payload == NULL || PyBytes_CheckExact(said->payload)) ||
        !(said->meta == NULL || PyBytes_CheckExact(said->meta)) || said->ttl > 0xFFFFFFFF) {
        return 0;
    }
    int number = self->next;
    PyObject *batch = self->batch;
    *id = make_id(self, number);
    if (*id == NULL) {
        return -1;
    }
    /* Making the id may have run anything, a finalizer that publishes for one. */
    int still = self->open && self->next == number && self->batch == batch;
    long index = still ? channel_index(self, said->channel) : -1;
    if (index < 0) {
        Py_CLEAR(*id);
        return PyErr_Occurred() ? -1 : 0;
    }
    Py_ssize_t before = self->bodies.size;
    unsigned char *entry = buffer_room(&self->entries, PUBLISHED_BYTES);
    int put = entry == NULL ? -1 : put_payload(self, said);
    Py_ssize_t between = self->bodies.size;
    if (put > 0) {
        put = put_meta(self, said);
    }
    Py_ssize_t after = self->bodies.size;
    if (put <= 0 || (said->payload == NULL && after - before > LARGE)) {
        self->bodies.size = before;
        Py_CLEAR(*id);
        return put < 0 ? -1 : 0;
    }
    unsigned long long sequence = self->block_start + (unsigned long long)number;
    write_entry(entry, sequence, said, between - before, after - between, index);
    self->entries.size += PUBLISHED_BYTES;
    self->count++;
    self->next = number + 1;
    int full = self->count >= FULL_MESSAGES || self->bodies.size >= FULL_BYTES;
    if (full || self->flush_in != PyThread_get_thread_ident()) {
        PyObject *hurried = PyObject_CallOneArg(self->hurry, full ? Py_True : Py_False);
        if (hurried == NULL) {
            Py_CLEAR(*id);
            return -1;
        }
        Py_DECREF(hurried);
    }
    return 1;
}

/* put(channel, priority, payload_type, payload, meta_type=0, meta=b"", ttl_ms=0) */
static PyObject *filling_put(Filling *self, PyObject *const *args, Py_ssize_t count) {
    if (count == 4 || count == 7) {
        PyObject *id = NULL;
        Said said = {
            .channel = args[0],
            .priority = PyLong_AsLongLong(args[1]),
            .payload_type = PyLong_AsLong(args[2]),
            .payload = args[3],
        };
        if (count == 7) {
            said.meta_type = PyLong_AsLong(args[4]);
            said.meta = args[5];
            said.ttl = PyLong_AsUnsignedLongLong(args[6]);
        }
        if (PyErr_Occurred()) {
            return NULL;
        }
        int put = try_put(self, &said, &id);
        if (put) {
            return put < 0 ? NULL : id;
        }
    }
    return PyObject_Vectorcall(self->put_slowly, args, (size_t)count, NULL);
}

/* Adds a message that is to be encoded here: its id, or None if it is for the long way. */
static PyObject *put_encoded(Filling *self, const Said *said) {
    PyObject *id = NULL;
    if (PyErr_Occurred()) { /* A number was none. */
        return NULL;
    }
    int put = self->payload_type == MSGPACK ? try_put(self, said, &id) : 0;
    return put < 0 ? NULL : put == 0 ? Py_NewRef(Py_None) : id;
}

/* put_dicts(channel, priority, payload, meta, ttl_ms): the id, or None if it is for the long way */
static PyObject *filling_put_dicts(Filling *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 5) {
        return PyErr_Format(PyExc_TypeError, "put_dicts takes 5 arguments, not %zd", count);
    }
    if (args[3] != Py_None && !PyDict_CheckExact(args[3])) {
        Py_RETURN_NONE;
    }
    int says = args[3] != Py_None && PyDict_GET_SIZE(args[3]) > 0;
    Said said = {
        .channel = args[0],
        .priority = PyLong_AsLongLong(args[1]),
        .payload_type = MSGPACK,
        .value = args[2],
        .meta_type = says ? MSGPACK : 0,
        .meta_value = says ? args[3] : NULL,
        .ttl = PyLong_AsUnsignedLongLong(args[4]),
    };
    return put_encoded(self, &said);
}

/* put_fields(channel, priority, fields, names, class_name, ttl_ms): the id, or None if it is for the long way */
static PyObject *filling_put_fields(Filling *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 6 || !PyDict_CheckExact(args[2]) || !PyTuple_CheckExact(args[3]) ||
        !PyUnicode_CheckExact(args[4])) {
        return PyErr_Format(PyExc_TypeError, "put_fields takes a channel, a priority, a dict, a tuple, a str, and a ttl");
    }
    Said said = {
        .channel = args[0],
        .priority = PyLong_AsLongLong(args[1]),
        .payload_type = MSGPACK,
        .value = args[2],
        .meta_type = MSGPACK,
        .meta_value = args[3],
        .class_name = args[4],
        .ttl = PyLong_AsUnsignedLongLong(args[5]),
    };
    return put_encoded(self, &said);
}

/* add(entry, payload, meta=b"") */
static PyObject *filling_add(Filling *self, PyObject *args) {
    PyObject *entry, *payload, *meta = NULL;
    if (!PyArg_ParseTuple(args, "SS|S", &entry, &payload, &meta)) {
        return NULL;
    }
    Py_ssize_t more = PyBytes_GET_SIZE(payload) + (meta == NULL ? 0 : PyBytes_GET_SIZE(meta));
    unsigned char *to = buffer_room(&self->entries, PyBytes_GET_SIZE(entry));
    if (to == NULL || buffer_room(&self->bodies, more) == NULL) {
        return NULL;
    }
    memcpy(to, PyBytes_AS_STRING(entry), (size_t)PyBytes_GET_SIZE(entry));
    self->entries.size += PyBytes_GET_SIZE(entry);
    add_body(self, payload);
    if (meta != NULL) {
        add_body(self, meta);
    }
    self->count++;
    Py_RETURN_NONE;
}

/* take(): (entries, bodies, count) */
static PyObject *filling_take(Filling *self, PyObject *unused) {
    PyObject *taken =
        Py_BuildValue("NNn", buffer_bytes(&self->entries), buffer_bytes(&self->bodies), self->count);
    if (taken != NULL) {
        self->count = self->entries.size = self->bodies.size = 0;
        if (self->bodies.room > 2 * FULL_BYTES) {
            buffer_free(&self->bodies);
        }
    }
    return taken;
}

/* shorten(channels, encode, payload_type) */
static PyObject *filling_shorten(Filling *self, PyObject *args) {
    PyObject *channels, *encode;
    if (!PyArg_ParseTuple(args, "O!Ol", &PyDict_Type, &channels, &encode, &self->payload_type)) {
        return NULL;
    }
    Py_XSETREF(self->channels, Py_NewRef(channels));
    Py_XSETREF(self->encode, Py_NewRef(encode));
    Py_RETURN_NONE;
}

static PyMethodDef filling_methods[] = {
    {"put", (PyCFunction)(void (*)(void))filling_put, METH_FASTCALL,
     "put(channel, priority, payload_type, payload, meta_type=0, meta=b\"\", ttl_ms=0)\n--\n\n"
     "Adds a message; its id."},
    {"put_dicts", (PyCFunction)(void (*)(void))filling_put_dicts, METH_FASTCALL,
     "put_dicts(channel, priority, payload, meta, ttl_ms)\n--\n\n"
     "Adds a message of two dicts, encoded here; its id, or None if put has to do it."},
    {"put_fields", (PyCFunction)(void (*)(void))filling_put_fields, METH_FASTCALL,
     "put_fields(channel, priority, fields, names, class_name, ttl_ms)\n--\n\n"
     "Adds a message of an object's fields, those of these names as its meta too; its id, or None if\n"
     "put has to do it. See outbox.py."},
    {"add", (PyCFunction)filling_add, METH_VARARGS,
     "add(entry, payload, meta=b\"\")\n--\n\nAdds a message of which all is known."},
    {"take", (PyCFunction)filling_take, METH_NOARGS,
     "take()\n--\n\nWhat was added, entries, bodies, and how many; there is nothing then."},
    {"shorten", (PyCFunction)filling_shorten, METH_VARARGS,
     "shorten(channels, encode, payload_type)\n--\n\n"
     "The short way of publish takes dicts for these channels, a dict of their default priorities."},
    {NULL},
};

static PyMemberDef filling_members[] = {
    {"count", T_PYSSIZET, offsetof(Filling, count), READONLY, "how many messages there are"},
    {"bytes", T_PYSSIZET, offsetof(Filling, bodies.size), READONLY, "how large their bodies are together"},
    {"block_start", T_ULONGLONG, offsetof(Filling, block_start), 0, "the number before the block's first"},
    {"flush_in", T_ULONG, offsetof(Filling, flush_in), 0, "the thread whose loop will flush at its next tick"},
    {"next", T_INT, offsetof(Filling, next), 0, "the next message's place in its block"},
    {"open", T_BOOL, offsetof(Filling, open), 0, "whether put may add to the batch by itself"},
    {NULL},
};

static PyGetSetDef filling_getset[] = {
    {"batch", (getter)filling_get_batch, (setter)filling_set_batch, "what is being filled", NULL},
    {"digits", (getter)filling_get_digits, (setter)filling_set_digits, "the first 29 of the block's ids", NULL},
    {NULL},
};

static PyType_Slot filling_slots[] = {
    {Py_tp_doc, "Filling(make_id, put_slowly, hurry): see filling.py."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, filling_init},
    {Py_tp_traverse, filling_traverse},
    {Py_tp_clear, filling_clear},
    {Py_tp_dealloc, filling_dealloc},
    {Py_tp_methods, filling_methods},
    {Py_tp_members, filling_members},
    {Py_tp_getset, filling_getset},
    {0, NULL},
};

static PyType_Spec filling_spec = {
    "neuralcore._bus._fast.Filling",
    sizeof(Filling),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    filling_slots,
};

/* ------------------------------------------------------------------ the short way of publish */

/* A method: publish(self, channel, payload, priority=None). What is a dict for a channel of
 * self._filling goes into the batch from here; everything else goes to the function it stands for.
 */
typedef struct {
    PyObject_HEAD
    PyObject *function;
    PyObject *dict;
    PyObject *name; /* "_filling" */
    PyTypeObject *filling_type;
    vectorcallfunc call;
} ShortWay;

static int publish_shortly(
    ShortWay *self, PyObject *bus, PyObject *channel, PyObject *payload, PyObject *priority, PyObject **id) {
    PyObject *attribute = PyObject_GetAttr(bus, self->name);
    if (attribute == NULL) {
        return -1;
    }
    int put = 0;
    Filling *filling = (Filling *)attribute;
    if (!Py_IS_TYPE(attribute, self->filling_type) || filling->channels == NULL || !filling->open) {
        goto done;
    }
    PyObject *usual = PyDict_GetItemWithError(filling->channels, channel);
    if (usual == NULL) {
        put = PyErr_Occurred() ? -1 : 0;
        goto done;
    }
    long long value = PyLong_AsLongLong(priority == NULL || priority == Py_None ? usual : priority);
    if (filling->payload_type == MSGPACK && !PyErr_Occurred()) {
        Said whole = {.channel = channel, .priority = value, .payload_type = MSGPACK, .value = payload};
        put = try_put(filling, &whole, id);
        if (put != 0) {
            goto done;
        }
    }
    PyObject *encoded = PyErr_Occurred() ? NULL : PyObject_CallOneArg(filling->encode, payload);
    if (encoded == NULL) {
        /* The long way finds the words for what is wrong. */
        put = PyErr_ExceptionMatches(PyExc_Exception) ? 0 : -1;
        if (put == 0) {
            PyErr_Clear();
        }
        goto done;
    }
    if (!PyBytes_CheckExact(encoded) || PyBytes_GET_SIZE(encoded) <= LARGE) {
        Said said = {
            .channel = channel, .priority = value, .payload_type = filling->payload_type, .payload = encoded};
        put = try_put(filling, &said, id);
    }
    Py_DECREF(encoded);
done:
    Py_DECREF(attribute);
    return put;
}

static PyObject *short_way_call(PyObject *callable, PyObject *const *args, size_t flags, PyObject *names) {
    ShortWay *self = (ShortWay *)callable;
    Py_ssize_t positional = PyVectorcall_NARGS(flags);
    Py_ssize_t named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    int plain = named == 0 ? positional == 3 || positional == 4
                           : named == 1 && positional == 3 &&
                                 PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "priority") == 0;
    if (plain && PyDict_CheckExact(args[2])) {
        PyObject *id = NULL;
        int put = publish_shortly(
            self, args[0], args[1], args[2], positional + named == 4 ? args[3] : NULL, &id);
        if (put) {
            return put < 0 ? NULL : id;
        }
    }
    return PyObject_Vectorcall(self->function, args, flags, names);
}

static int short_way_init(ShortWay *self, PyObject *args, PyObject *kwargs) {
    PyObject *function;
    if (!PyArg_ParseTuple(args, "O", &function)) {
        return -1;
    }
    PyObject *module = PyType_GetModule(Py_TYPE(self));
    PyObject *type = module == NULL ? NULL : PyObject_GetAttrString(module, "Filling");
    if (type == NULL) {
        return -1;
    }
    Py_XSETREF(self->filling_type, (PyTypeObject *)type);
    Py_XSETREF(self->function, Py_NewRef(function));
    Py_XSETREF(self->name, PyUnicode_InternFromString("_filling"));
    self->call = short_way_call;
    return self->name == NULL ? -1 : 0;
}

static int short_way_traverse(ShortWay *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->function);
    Py_VISIT(self->dict);
    Py_VISIT(self->filling_type);
    return 0;
}

static int short_way_clear(ShortWay *self) {
    Py_CLEAR(self->function);
    Py_CLEAR(self->dict);
    Py_CLEAR(self->name);
    Py_CLEAR(self->filling_type);
    return 0;
}

static void short_way_dealloc(ShortWay *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    short_way_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *short_way_get(PyObject *self, PyObject *object, PyObject *type) {
    return object == NULL || object == Py_None ? Py_NewRef(self) : PyMethod_New(self, object);
}

static PyMemberDef short_way_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(ShortWay, dict), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(ShortWay, call), READONLY, NULL},
    {NULL},
};

static PyGetSetDef short_way_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL},
};

static PyType_Slot short_way_slots[] = {
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, short_way_init},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_descr_get, short_way_get},
    {Py_tp_traverse, short_way_traverse},
    {Py_tp_clear, short_way_clear},
    {Py_tp_dealloc, short_way_dealloc},
    {Py_tp_members, short_way_members},
    {Py_tp_getset, short_way_getset},
    {0, NULL},
};

static PyType_Spec short_way_spec = {
    "neuralcore._bus._fast.ShortWay",
    sizeof(ShortWay),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    short_way_slots,
};

/* ------------------------------------------------------------------ message ids */

/* An awaitable str, as in message.py. Its iterator is at its end at once, and has the id to give. */
typedef struct {
    PyObject_HEAD
    PyObject *id;
} Known;

static PyObject *known_next(Known *self) {
    PyErr_SetObject(PyExc_StopIteration, self->id);
    return NULL;
}

static PySendResult known_send(Known *self, PyObject *sent, PyObject **result) {
    *result = Py_NewRef(self->id);
    return PYGEN_RETURN;
}

static void known_dealloc(Known *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(self->id);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyType_Slot known_slots[] = {
    {Py_tp_dealloc, known_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, known_next},
    {Py_am_send, known_send},
    {0, NULL},
};

static PyType_Spec known_spec = {
    "neuralcore._bus._fast.Known", sizeof(Known), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, known_slots,
};

static PyTypeObject *known_type;

static PyObject *message_id_await(PyObject *self) {
    Known *known = PyObject_New(Known, known_type);
    if (known != NULL) {
        known->id = Py_NewRef(self);
    }
    return (PyObject *)known;
}

static PyType_Slot message_id_slots[] = {
    {Py_tp_doc, "A message's id: 32 hexadecimal digits, known at once. Awaiting it gives it, at once too."},
    {Py_am_await, message_id_await},
    {0, NULL},
};

static PyType_Spec message_id_spec = {
    "neuralcore._bus.message.MessageId", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, message_id_slots,
};

/* ------------------------------------------------------------------ sending */

#define PUBLISH 0x10
#define PUBLISH_HEAD_BYTES 24

/* Writes the names, or with NULL counts their bytes; NULL and -1 with an error. */
static Py_ssize_t put_names(unsigned char *to, PyObject *names) {
    Py_ssize_t place = 0, bytes = 0, length;
    PyObject *name, *index;
    while (PyDict_Next(names, &place, &name, &index)) {
        const char *text = PyUnicode_AsUTF8AndSize(name, &length);
        if (text == NULL) {
            return -1;
        }
        if (length > 0xFFFF) {
            PyErr_Format(PyExc_ValueError, "a channel's name of %zd bytes is too long", length);
            return -1;
        }
        if (to != NULL) {
            write_int(to + bytes, (unsigned long long)length, 2);
            memcpy(to + bytes + 2, text, (size_t)length);
        }
        bytes += 2 + length;
    }
    return bytes;
}

/* publish_frame(flags, number, namespace, publisher, channels, count, entries, bodies), with its length */
static PyObject *publish_frame(PyObject *module, PyObject *args) {
    int flags;
    unsigned int number;
    const char *space;
    Py_ssize_t space_bytes, count;
    unsigned long long publisher;
    PyObject *channels, *entries, *bodies;
    if (!PyArg_ParseTuple(args, "iIs#KO!nSS", &flags, &number, &space, &space_bytes, &publisher, &PyDict_Type,
                          &channels, &count, &entries, &bodies)) {
        return NULL;
    }
    Py_ssize_t names = put_names(NULL, channels);
    if (names < 0) {
        return NULL;
    }
    Py_ssize_t named = PUBLISH_HEAD_BYTES + space_bytes + names;
    Py_ssize_t pad = -named & 7;
    Py_ssize_t entry_bytes = PyBytes_GET_SIZE(entries), body_bytes = PyBytes_GET_SIZE(bodies);
    if (space_bytes > 0xFFFF || entry_bytes > 0x7FFFFFFF - named - pad ||
        body_bytes > 0x7FFFFFFF - named - pad - entry_bytes) {
        return PyErr_Format(PyExc_ValueError, "a frame of %zd and %zd bytes is too long", entry_bytes, body_bytes);
    }
    Py_ssize_t payload = named + pad + entry_bytes + body_bytes;
    PyObject *frame = PyBytes_FromStringAndSize(NULL, 4 + payload);
    if (frame == NULL) {
        return NULL;
    }
    unsigned char *to = (unsigned char *)PyBytes_AS_STRING(frame);
    for (int i = 0; i < 4; i++) {
        to[i] = (unsigned char)(payload >> (24 - 8 * i));
    }
    to += 4;
    to[0] = PUBLISH;
    to[1] = (unsigned char)flags;
    write_int(to + 2, 0, 2);
    write_int(to + 4, number, 4);
    write_int(to + 8, (unsigned long long)space_bytes, 2);
    write_int(to + 10, (unsigned long long)PyDict_GET_SIZE(channels), 2);
    write_int(to + 12, (unsigned long long)count, 4);
    write_int(to + 16, publisher, 8);
    memcpy(to + PUBLISH_HEAD_BYTES, space, (size_t)space_bytes);
    put_names(to + PUBLISH_HEAD_BYTES + space_bytes, channels);
    memset(to + named, 0, (size_t)pad);
    memcpy(to + named + pad, PyBytes_AS_STRING(entries), (size_t)entry_bytes);
    memcpy(to + named + pad + entry_bytes, PyBytes_AS_STRING(bodies), (size_t)body_bytes);
    return frame;
}

/* ------------------------------------------------------------------ receiving */

/* One message of a deliver frame. */
static Delivery *read_message(
    PyTypeObject *type, PyObject *channel, const unsigned char *entry, const char *body, Py_ssize_t payload,
    Py_ssize_t meta) {
    Delivery *message = new_delivery(type, payload + meta);
    if (message != NULL) {
        message->channel = Py_NewRef(channel);
        message->attempt = (unsigned int)read_int(entry + 4, 4);
        memcpy(message->about, entry + 8, ABOUT_BYTES);
        message->priority = (long long)read_int(entry + 40, 8);
        message->types = (unsigned short)read_int(entry + 62, 2);
        message->number = read_int(entry + 64, 8);
        message->payload_bytes = payload;
        memcpy(message->bytes, body, (size_t)(payload + meta));
    }
    return message;
}

/* Adds a run to the list and returns its messages, borrowed. */
static PyObject *begin_run(PyObject *runs, unsigned long subscription) {
    PyObject *messages = PyList_New(0);
    if (messages == NULL) {
        return NULL;
    }
    PyObject *run = Py_BuildValue("kN", subscription, messages);
    if (run == NULL) {
        return NULL;
    }
    int added = PyList_Append(runs, run);
    Py_DECREF(run);
    return added < 0 ? NULL : messages;
}

/* Where the bodies of so many entries end; -1 with an error if it is not where the frame does. */
static int check_entries(const char *frame, Py_ssize_t size, Py_ssize_t at, Py_ssize_t count, Py_ssize_t channels) {
    if (at < 0 || count < 0 || at > size || count > (size - at) / DELIVERED_BYTES) {
        PyErr_Format(PyExc_ValueError, "%zd entries do not fit %zd bytes", count, size);
        return -1;
    }
    Py_ssize_t body = at + DELIVERED_BYTES * count;
    const unsigned char *entry = (const unsigned char *)frame + at;
    for (Py_ssize_t i = 0; i < count; i++, entry += DELIVERED_BYTES) {
        Py_ssize_t payload = (Py_ssize_t)read_int(entry + 48, 4);
        Py_ssize_t meta = (Py_ssize_t)read_int(entry + 52, 4);
        Py_ssize_t channel = (Py_ssize_t)read_int(entry + 60, 2);
        if (channel >= channels || payload > size - body || meta > size - body - payload) {
            PyErr_Format(PyExc_ValueError, "an entry of channel %zd with %zd and %zd bytes at %zd does not fit",
                         channel, payload, meta, body);
            return -1;
        }
        body += payload + meta;
    }
    if (body != size) {
        PyErr_Format(PyExc_ValueError, "%zd bytes end at %zd", size, body);
        return -1;
    }
    return 0;
}

/* What is being read of a deliver frame. */
typedef struct {
    PyObject *inboxes; /* by the number of their subscription */
    PyObject *runs;    /* for the others */
    PyObject *wakes;   /* of the schedules that have got something */
    PyObject *messages;
    unsigned long last;
    Inbox *inbox; /* of the last */
} Reading;

/* Looks up whose the next messages are; -1 with an error. */
static int read_for(Reading *to, unsigned long subscription) {
    PyObject *number = PyLong_FromUnsignedLong(subscription);
    if (number == NULL) {
        return -1;
    }
    PyObject *known = PyDict_GetItemWithError(to->inboxes, number);
    Py_DECREF(number);
    if (known == NULL && PyErr_Occurred()) {
        return -1;
    }
    to->last = subscription;
    /* Held: what is allocated may collect garbage, and a finalizer end the subscription. */
    int is_inbox = known != NULL && Py_IS_TYPE(known, inbox_type);
    Py_XSETREF(to->inbox, is_inbox ? (Inbox *)Py_NewRef(known) : NULL);
    if (to->inbox == NULL) {
        to->messages = begin_run(to->runs, subscription);
        return to->messages == NULL ? -1 : 0;
    }
    to->messages = NULL;
    Schedule *schedule = to->inbox->schedule;
    if (schedule != NULL && !schedule->to_wake) {
        schedule->to_wake = 1;
        return PyList_Append(to->wakes, (PyObject *)schedule);
    }
    return 0;
}

static int hand_over(Reading *to, Delivery *message) {
    if (to->inbox == NULL) {
        return PyList_Append(to->messages, (PyObject *)message);
    }
    to->inbox->received++;
    if (to->inbox->marks) {
        Py_SETREF(message->subscription, Py_NewRef(to->inbox->subscription));
    }
    return inbox_push(to->inbox, message);
}

/* read_entries(frame, at, count, channels, make, inboxes): the runs of a deliver frame that are for no
 * inbox, and what is to be woken for the others */
static PyObject *read_entries(PyObject *module, PyObject *args) {
    const char *frame;
    Py_ssize_t size, at, count;
    PyObject *channels, *make, *inboxes;
    if (!PyArg_ParseTuple(args, "y#nnO!O!O!", &frame, &size, &at, &count, &PyList_Type, &channels, &PyType_Type,
                          &make, &PyDict_Type, &inboxes) ||
        check_entries(frame, size, at, count, PyList_GET_SIZE(channels)) < 0) {
        return NULL;
    }
    if (!PyType_IsSubtype((PyTypeObject *)make, delivery_type)) {
        return PyErr_Format(PyExc_TypeError, "%R is no class of messages", make);
    }
    Reading to = {.inboxes = inboxes, .runs = PyList_New(0), .wakes = PyList_New(0)};
    int good = to.runs != NULL && to.wakes != NULL;
    const char *body = frame + at + DELIVERED_BYTES * count;
    const unsigned char *entry = (const unsigned char *)frame + at;
    for (Py_ssize_t i = 0; good && i < count; i++, entry += DELIVERED_BYTES) {
        unsigned long subscription = (unsigned long)read_int(entry, 4);
        Py_ssize_t payload = (Py_ssize_t)read_int(entry + 48, 4);
        Py_ssize_t meta = (Py_ssize_t)read_int(entry + 52, 4);
        if (i == 0 || subscription != to.last) {
            good = read_for(&to, subscription) == 0;
        }
        PyObject *channel = PyList_GET_ITEM(channels, (Py_ssize_t)read_int(entry + 60, 2));
        Delivery *message =
            good ? read_message((PyTypeObject *)make, channel, entry, body, payload, meta) : NULL;
        good = message != NULL && hand_over(&to, message) == 0;
        Py_XDECREF(message);
        body += payload + meta;
    }
    Py_CLEAR(to.inbox);
    for (Py_ssize_t i = 0; to.wakes != NULL && i < PyList_GET_SIZE(to.wakes); i++) {
        Schedule *schedule = (Schedule *)PyList_GET_ITEM(to.wakes, i);
        schedule->to_wake = 0;
        PyList_SetItem(to.wakes, i, Py_NewRef(schedule->wake));
    }
    if (!good) {
        Py_XDECREF(to.runs);
        Py_XDECREF(to.wakes);
        return NULL;
    }
    return Py_BuildValue("NN", to.runs, to.wakes);
}

/* ------------------------------------------------------------------ payloads */

/* A read-only property of messages: the payload, decoded when it is first read. MessagePack without
 * a meta is decoded from here; for everything else there is the function that it stands for.
 */
typedef struct {
    PyObject_HEAD
    PyObject *function;
    PyObject *decode;
} Payload;

static int payload_init(Payload *self, PyObject *args, PyObject *kwargs) {
    PyObject *function, *decode;
    if (!PyArg_ParseTuple(args, "OO", &function, &decode)) {
        return -1;
    }
    Py_XSETREF(self->function, Py_NewRef(function));
    Py_XSETREF(self->decode, Py_NewRef(decode));
    return 0;
}

static int payload_traverse(Payload *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->function);
    Py_VISIT(self->decode);
    return 0;
}

static int payload_clear(Payload *self) {
    Py_CLEAR(self->function);
    Py_CLEAR(self->decode);
    return 0;
}

static void payload_dealloc(Payload *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    payload_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *payload_get(Payload *self, PyObject *object, PyObject *type) {
    if (object == NULL) {
        return Py_NewRef((PyObject *)self);
    }
    if (!PyObject_TypeCheck(object, delivery_type)) {
        return PyErr_Format(PyExc_TypeError, "%R has no payload", Py_TYPE(object));
    }
    Delivery *message = (Delivery *)object;
    if (message->value != NULL && message->value != unread) { /* NULL where somebody deleted it */
        return Py_NewRef(message->value);
    }
    if ((message->types & 0xFF) != MSGPACK) {
        return PyObject_CallOneArg(self->function, object);
    }
    PyObject *decoded = decode_msgpack((const unsigned char *)message->bytes, message->payload_bytes);
    if (decoded == NULL && !PyErr_Occurred()) {
        PyObject *bytes = delivery_payload_bytes(message, NULL);
        decoded = bytes == NULL ? NULL : PyObject_CallOneArg(self->decode, bytes);
        Py_XDECREF(bytes);
    }
    if (decoded != NULL) {
        Py_XSETREF(message->value, Py_NewRef(decoded));
    }
    return decoded;
}

static PyObject *payload_doc(Payload *self, void *closure) {
    return PyObject_GetAttrString(self->function, "__doc__");
}

static PyGetSetDef payload_getset[] = {
    {"__doc__", (getter)payload_doc, NULL, NULL, NULL},
    {NULL},
};

static PyType_Slot payload_slots[] = {
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, payload_init},
    {Py_tp_descr_get, payload_get},
    {Py_tp_traverse, payload_traverse},
    {Py_tp_clear, payload_clear},
    {Py_tp_dealloc, payload_dealloc},
    {Py_tp_getset, payload_getset},
    {0, NULL},
};

static PyType_Spec payload_spec = {
    "neuralcore._bus._fast.Payload", sizeof(Payload), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, payload_slots,
};

/* ------------------------------------------------------------------ handling */

enum { DONE, RETURNED, RAISED, WAITS, MORE };

static PyObject *raised(void) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

/* What comes of calling a coroutine function: DONE if it ended and returned None. */
static int call_handler(PyObject *handler, PyObject *message, PyObject **value) {
    PyObject *awaitable = PyObject_CallOneArg(handler, message);
    if (awaitable == NULL) {
        *value = raised();
        return RAISED;
    }
    if (!PyCoro_CheckExact(awaitable)) {
        *value = Py_BuildValue("NO", awaitable, Py_None);
        return WAITS;
    }
    PyObject *result;
    int outcome = DONE;
    switch (PyIter_Send(awaitable, Py_None, &result)) {
    case PYGEN_NEXT:
        *value = Py_BuildValue("ON", awaitable, result);
        outcome = WAITS;
        break;
    case PYGEN_RETURN:
        if (result == Py_None) {
            Py_DECREF(result);
        } else {
            *value = result;
            outcome = RETURNED;
        }
        break;
    default:
        *value = raised();
        outcome = RAISED;
    }
    Py_DECREF(awaitable);
    return outcome;
}

#define TELL_AFTER_SECONDS 0.001

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static PyObject *is_simple_name;

/* Whether a message takes nothing but the call of the handler. The subscription knows; of one bus all
 * that are to be called only are either simple or not. */
static int is_simple(Inbox *inbox) {
    PyObject *simple = PyObject_GetAttr(inbox->subscription, is_simple_name);
    if (simple == NULL) {
        return -1;
    }
    int yes = simple == Py_True;
    Py_DECREF(simple);
    return yes;
}

/* Notes that the subscription is to be told of a message at the end of the turn, if need be. */
static int touch(Schedule *self, Inbox *inbox) {
    inbox->owed++;
    if (inbox->touched) {
        return 0;
    }
    if (make_room((void **)&self->touched, self->touched_count, &self->touched_room, sizeof(Inbox *)) < 0) {
        return -1;
    }
    inbox->touched = 1;
    self->touched[self->touched_count++] = (Inbox *)Py_NewRef((PyObject *)inbox);
    return 0;
}

/* Tells subscriptions how many messages were handled: when that makes half a window, or when credit
 * may be scarce and it is a while since. What is granted sooner would be a frame a message where many
 * subscriptions take turns, and gain nothing where the daemon has credit left. */
static int tell(Schedule *self) {
    double now = seconds_now();
    int good = 1;
    while (self->touched_count > 0) {
        Inbox *inbox = self->touched[--self->touched_count];
        inbox->touched = 0;
        long owed = inbox->owed;
        int scarce = 2 * (owed + inbox->size) >= inbox->window && now - inbox->told_at >= TELL_AFTER_SECONDS;
        if (good && owed > 0 && (scarce || 2 * owed >= inbox->window)) {
            inbox->owed = 0;
            inbox->told_at = now;
            PyObject *told = PyObject_CallMethod(inbox->subscription, "finished", "l", owed);
            good = told != NULL;
            Py_XDECREF(told);
        }
        Py_DECREF(inbox);
    }
    return good ? 0 : -1;
}

/* What a turn has come to. */
typedef struct {
    int outcome;
    long done;
    Inbox *inbox; /* in hand; NULL if none is */
    PyObject *message;
    PyObject *value;
} Turn;

/* Handles the most urgent message of an inbox: 1 if the turn goes on, 0 if there is more to do for it. */
static int handle_one(Schedule *self, Inbox *inbox, Turn *turn) {
    Delivery *message = inbox_take(inbox);
    if (message == NULL) { /* Somebody else took it. */
        schedule_remove(self, inbox);
        return 1;
    }
    schedule_took_some(self, 1);
    self->running++;
    inbox->running++;
    turn->done++;
    turn->outcome = call_handler(inbox->handler, (PyObject *)message, &turn->value);
    if (turn->outcome == DONE && inbox->ack != Py_None) {
        PyObject *acked = PyObject_CallOneArg(inbox->ack, (PyObject *)message);
        if (acked == NULL) {
            turn->value = raised();
            turn->outcome = RAISED;
        }
        Py_XDECREF(acked);
    }
    if (turn->outcome != DONE) {
        schedule_offer(self, inbox);
        turn->inbox = (Inbox *)Py_NewRef((PyObject *)inbox);
        turn->message = (PyObject *)message;
        return turn->value == NULL ? -1 : 0;
    }
    Py_DECREF(message);
    inbox->handled++;
    schedule_end_with(self, inbox);
    return touch(self, inbox) < 0 ? -1 : 1;
}

/* turn(few, seconds): (outcome, subscription, message, value)
 *
 * Handles messages until one needs looking at, no more than a few are left, or the time is over. Then
 * the subscription is None, and the message whether anything was done.
 */
static PyObject *schedule_turn(Schedule *self, PyObject *args) {
    Py_ssize_t few;
    double seconds;
    if (!PyArg_ParseTuple(args, "nd", &few, &seconds)) {
        return NULL;
    }
    Turn turn = {.outcome = DONE};
    double until = seconds_now() + seconds;
    Inbox *inbox;
    int good = 1;
    int simple = 0;
    while (good > 0 && (inbox = schedule_first(self)) != NULL) {
        Py_INCREF(inbox);
        if (turn.done == 0) {
            simple = inbox->only_calls ? is_simple(inbox) : 0;
            if (simple < 0 || inbox != schedule_first(self)) {
                good = simple < 0 ? -1 : 1;
                Py_DECREF(inbox);
                continue;
            }
        }
        if (!simple || !inbox->only_calls) {
            if (turn.done == 0) {
                schedule_begin_with(self, inbox);
                turn.outcome = MORE;
                turn.inbox = (Inbox *)Py_NewRef((PyObject *)inbox);
            }
            Py_DECREF(inbox);
            break;
        }
        good = handle_one(self, inbox, &turn);
        Py_DECREF(inbox);
        /* The clock is read so often that a slow handler has at most fifteen turns in one. */
        int look = turn.done % 16 == 0 || (turn.done & (turn.done - 1)) == 0;
        if (self->waiting <= few || (look && seconds_now() > until)) {
            break;
        }
    }
    if (self->touched_count > 0 && good >= 0 && tell(self) < 0) {
        good = -1;
    }
    if (good < 0) {
        if (turn.inbox != NULL) {
            schedule_end_with(self, turn.inbox);
        }
        Py_XDECREF(turn.inbox);
        Py_XDECREF(turn.message);
        Py_XDECREF(turn.value);
        return NULL;
    }
    PyObject *subscription = turn.inbox == NULL ? Py_None : turn.inbox->subscription;
    PyObject *result = Py_BuildValue(
        "iONN", turn.outcome, subscription,
        turn.message != NULL ? turn.message : PyBool_FromLong(turn.done),
        turn.value != NULL ? turn.value : Py_NewRef(Py_None));
    Py_XDECREF(turn.inbox);
    return result;
}

/* The schedule for those who call handlers otherwise: see inbox.py. */

static Inbox *inbox_of(PyObject *subscription) {
    PyObject *inbox = PyObject_GetAttrString(subscription, "inbox");
    if (inbox != NULL && !Py_IS_TYPE(inbox, inbox_type)) {
        PyErr_Format(PyExc_TypeError, "%R is no inbox", inbox);
        Py_CLEAR(inbox);
    }
    return (Inbox *)inbox;
}

static int schedule_init(Schedule *self, PyObject *args, PyObject *kwargs) {
    PyObject *wake;
    if (!PyArg_ParseTuple(args, "O", &wake)) {
        return -1;
    }
    Py_XSETREF(self->wake, Py_NewRef(wake));
    return 0;
}

static int schedule_traverse(Schedule *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->wake);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Py_VISIT(self->heap[i].inbox);
    }
    for (Py_ssize_t i = self->line_first; i < self->line_end; i++) {
        Py_VISIT(line_at(self, i)->inbox);
    }
    for (Py_ssize_t i = 0; i < self->touched_count; i++) {
        Py_VISIT(self->touched[i]);
    }
    return 0;
}

static void schedule_empty(Schedule *self) {
    Inbox *inbox;
    while ((inbox = self->count > 0 ? self->heap[self->count - 1].inbox : schedule_head(self)) != NULL) {
        schedule_remove(self, inbox);
    }
}

static int schedule_drop(Schedule *self) {
    schedule_empty(self);
    while (self->touched_count > 0) {
        Py_DECREF(self->touched[--self->touched_count]);
    }
    Py_CLEAR(self->wake);
    return 0;
}

static void schedule_dealloc(Schedule *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    schedule_drop(self);
    PyMem_Free(self->heap);
    PyMem_Free(self->line);
    PyMem_Free(self->touched);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static Py_ssize_t schedule_length(Schedule *self) { return self->waiting; }

static PyObject *schedule_idle(Schedule *self, void *closure) {
    return PyBool_FromLong(self->waiting == 0 && self->running == 0);
}

/* arrived(subscription, messages) */
static PyObject *schedule_arrived(Schedule *self, PyObject *args) {
    PyObject *subscription, *messages;
    if (!PyArg_ParseTuple(args, "OO", &subscription, &messages)) {
        return NULL;
    }
    Inbox *inbox = inbox_of(subscription);
    PyObject *done = inbox == NULL ? NULL : inbox_extend(inbox, messages);
    Py_XDECREF(inbox);
    return done;
}

static PyObject *schedule_sort(Schedule *self, PyObject *unused) { Py_RETURN_NONE; }

static PyObject *schedule_begin(Schedule *self, PyObject *unused) {
    Inbox *inbox = schedule_first(self);
    if (inbox == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *subscription = Py_NewRef(inbox->subscription);
    schedule_begin_with(self, inbox);
    return subscription;
}

/* took(subscription, messages=1) */
static PyObject *schedule_took(Schedule *self, PyObject *args) {
    PyObject *subscription;
    Py_ssize_t messages = 1;
    if (!PyArg_ParseTuple(args, "O|n", &subscription, &messages)) {
        return NULL;
    }
    Inbox *inbox = inbox_of(subscription);
    if (inbox == NULL) {
        return NULL;
    }
    schedule_took_some(self, messages);
    schedule_offer(self, inbox);
    Py_DECREF(inbox);
    Py_RETURN_NONE;
}

static PyObject *schedule_end(Schedule *self, PyObject *subscription) {
    Inbox *inbox = inbox_of(subscription);
    if (inbox == NULL) {
        return NULL;
    }
    schedule_end_with(self, inbox);
    Py_DECREF(inbox);
    Py_RETURN_NONE;
}

static PyObject *schedule_clear(Schedule *self, PyObject *unused) {
    schedule_empty(self);
    self->waiting = 0;
    Py_RETURN_NONE;
}

static PyMethodDef schedule_methods[] = {
    {"turn", (PyCFunction)schedule_turn, METH_VARARGS,
     "turn(few, seconds)\n--\n\n(outcome, subscription, message, value): see dispatch.py."},
    {"arrived", (PyCFunction)schedule_arrived, METH_VARARGS, "arrived(subscription, messages)\n--\n\n"},
    {"sort", (PyCFunction)schedule_sort, METH_NOARGS, "sort()\n--\n\nAll is in its place."},
    {"begin", (PyCFunction)schedule_begin, METH_NOARGS, "begin()\n--\n\nWhose turn it is, or None."},
    {"took", (PyCFunction)schedule_took, METH_VARARGS, "took(subscription, messages=1)\n--\n\n"},
    {"end", (PyCFunction)schedule_end, METH_O, "end(subscription)\n--\n\n"},
    {"clear", (PyCFunction)schedule_clear, METH_NOARGS, "clear()\n--\n\n"},
    {NULL},
};

static PyMemberDef schedule_members[] = {
    {"waiting", T_PYSSIZET, offsetof(Schedule, waiting), READONLY, "how many messages wait"},
    {"running", T_PYSSIZET, offsetof(Schedule, running), READONLY, "how many turns are under way"},
    {NULL},
};

static PyGetSetDef schedule_getset[] = {
    {"idle", (getter)schedule_idle, NULL, "whether nothing waits or is being handled", NULL},
    {NULL},
};

static PyType_Slot schedule_slots[] = {
    {Py_tp_doc, "Schedule(wake): whose message is handled next, see inbox.py."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, schedule_init},
    {Py_tp_traverse, schedule_traverse},
    {Py_tp_clear, schedule_drop},
    {Py_tp_dealloc, schedule_dealloc},
    {Py_tp_methods, schedule_methods},
    {Py_tp_members, schedule_members},
    {Py_tp_getset, schedule_getset},
    {Py_sq_length, schedule_length},
    {0, NULL},
};

static PyType_Spec schedule_spec = {
    "neuralcore._bus._fast.Schedule",
    sizeof(Schedule),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    schedule_slots,
};

/* ------------------------------------------------------------------ the module */

static PyMethodDef functions[] = {
    {"publish_frame", publish_frame, METH_VARARGS,
     "publish_frame(flags, number, namespace, publisher, channels, count, entries, bodies)\n--\n\n"
     "A publish frame, its length word included; see batch.py."},
    {"read_entries", read_entries, METH_VARARGS,
     "read_entries(frame, at, count, channels, make, inboxes)\n--\n\n"
     "The runs of a deliver frame that are for none of the inboxes, and what is to be called as the\n"
     "others have something.\n\n:raises ValueError: if it does not fit; nothing is handed over then."},
    {NULL},
};

static int add_type(PyObject *module, const char *name, PyType_Spec *spec, PyObject *base) {
    PyObject *type = PyType_FromModuleAndSpec(module, spec, base);
    if (type == NULL) {
        return -1;
    }
    int added = PyModule_AddObjectRef(module, name, type);
    Py_DECREF(type);
    return added;
}

static int fill_module(PyObject *module) {
    known_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &known_spec, NULL);
    is_simple_name = PyUnicode_InternFromString("is_simple");
    payload_key = PyUnicode_InternFromString("payload");
    priority_key = PyUnicode_InternFromString("priority");
    headers_key = PyUnicode_InternFromString("headers");
    type_key = PyUnicode_InternFromString("payload_type");
    PyObject *msgspec = PyImport_ImportModule("msgspec");
    unread = msgspec == NULL ? NULL : PyObject_GetAttrString(msgspec, "UNSET");
    Py_XDECREF(msgspec);
    if (known_type == NULL || is_simple_name == NULL || unread == NULL || payload_key == NULL ||
        priority_key == NULL || headers_key == NULL || type_key == NULL ||
        add_type(module, "Delivery", &delivery_spec, NULL) < 0 ||
        add_type(module, "Inbox", &inbox_spec, NULL) < 0 ||
        add_type(module, "Schedule", &schedule_spec, NULL) < 0 || add_type(module, "Filling", &filling_spec, NULL) < 0 ||
        add_type(module, "ShortWay", &short_way_spec, NULL) < 0 ||
        add_type(module, "Payload", &payload_spec, NULL) < 0 ||
        add_type(module, "MessageId", &message_id_spec, (PyObject *)&PyUnicode_Type) < 0) {
        return -1;
    }
    message_id_type = (PyTypeObject *)PyObject_GetAttrString(module, "MessageId");
    delivery_type = (PyTypeObject *)PyObject_GetAttrString(module, "Delivery");
    inbox_type = (PyTypeObject *)PyObject_GetAttrString(module, "Inbox");
    if (message_id_type == NULL || delivery_type == NULL || inbox_type == NULL) {
        return -1;
    }
    PyObject *outcomes = Py_BuildValue("iiiii", DONE, RETURNED, RAISED, WAITS, MORE);
    int added = outcomes == NULL ? -1 : PyModule_AddObjectRef(module, "OUTCOMES", outcomes);
    Py_XDECREF(outcomes);
    return added;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, fill_module},
    {0, NULL},
};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "neuralcore._bus._fast",
    .m_doc = "What a message bus does once a message.",
    .m_methods = functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__fast(void) { return PyModuleDef_Init(&module); }
