/* What was received and waits for its handler: messages, the inbox of each subscription, and the
 * schedule that says whose turn it is. The twins in Python are Message's fields (message.py), Inbox
 * and Schedule (inbox.py); what each of them promises is said there.
 *
 * A message costs one object, which holds what the daemon sent of it. The schedule is a heap of the
 * inboxes that have something to handle, by their most urgent message: a message of another
 * subscription than the one before costs a step through it.
 */
#ifndef NEURALCORE_INBOX_H
#define NEURALCORE_INBOX_H

#include <Python.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <structmember.h>

#define ABOUT_BYTES 32
#define REPLAYED 0x10000u /* a flag, above the number of attempts */

/* ------------------------------------------------------------------ messages */

typedef struct {
    PyObject_VAR_HEAD
    PyObject *channel;
    PyObject *subscription;
    PyObject *value; /* of the payload, or unread */
    PyObject *meta;
    long long priority;
    unsigned long long number; /* among all of its namespace */
    Py_ssize_t payload_bytes;
    unsigned int attempt; /* and flags */
    unsigned short types;
    char settled;
    unsigned char about[ABOUT_BYTES];
    char bytes[1]; /* of the payload, then of the meta */
} Delivery;

static PyTypeObject *delivery_type;
static PyObject *unread;

static inline Delivery *new_delivery(PyTypeObject *type, Py_ssize_t bytes) {
    Delivery *message = (Delivery *)type->tp_alloc(type, bytes);
    if (message != NULL) {
        message->subscription = Py_NewRef(Py_None);
        message->value = Py_NewRef(unread);
        message->meta = Py_NewRef(Py_None);
    }
    return message;
}

/* Delivery(channel, priority, namespace_sequence, _attempt, _about, _types, _payload_bytes, …) */
static PyObject *delivery_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"channel", "priority", "namespace_sequence", "_attempt", "_about", "_types",
                            "_payload_bytes", "_meta_bytes", "_subscription", "_payload", "_meta", "_settled",
                            NULL};
    PyObject *channel, *subscription = NULL, *value = NULL, *meta = NULL;
    long long priority;
    unsigned long long number;
    unsigned int attempt;
    unsigned short types;
    const char *about, *payload, *said = "";
    Py_ssize_t about_bytes, payload_bytes, said_bytes = 0;
    int settled = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OLKIy#Hy#|y#OOOp", names, &channel, &priority, &number,
                                     &attempt, &about, &about_bytes, &types, &payload, &payload_bytes, &said,
                                     &said_bytes, &subscription, &value, &meta, &settled)) {
        return NULL;
    }
    if (about_bytes != ABOUT_BYTES) {
        return PyErr_Format(PyExc_ValueError, "%zd bytes say what a message is about, not %d", about_bytes,
                            ABOUT_BYTES);
    }
    Delivery *message = new_delivery(type, payload_bytes + said_bytes);
    if (message == NULL) {
        return NULL;
    }
    message->channel = Py_NewRef(channel);
    message->priority = priority;
    message->number = number;
    message->attempt = attempt;
    message->types = types;
    message->settled = (char)settled;
    message->payload_bytes = payload_bytes;
    memcpy(message->about, about, ABOUT_BYTES);
    memcpy(message->bytes, payload, (size_t)payload_bytes);
    memcpy(message->bytes + payload_bytes, said, (size_t)said_bytes);
    if (subscription != NULL) {
        Py_XSETREF(message->subscription, Py_NewRef(subscription));
    }
    if (value != NULL) {
        Py_XSETREF(message->value, Py_NewRef(value));
    }
    if (meta != NULL) {
        Py_XSETREF(message->meta, Py_NewRef(meta));
    }
    return (PyObject *)message;
}

static void delivery_dealloc(Delivery *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->channel);
    Py_XDECREF(self->subscription);
    Py_XDECREF(self->value);
    Py_XDECREF(self->meta);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *delivery_about(Delivery *self, void *closure) {
    return PyBytes_FromStringAndSize((const char *)self->about, ABOUT_BYTES);
}

static PyObject *delivery_payload_bytes(Delivery *self, void *closure) {
    return PyBytes_FromStringAndSize(self->bytes, self->payload_bytes);
}

static PyObject *delivery_meta_bytes(Delivery *self, void *closure) {
    return PyBytes_FromStringAndSize(self->bytes + self->payload_bytes, Py_SIZE(self) - self->payload_bytes);
}

static PyMemberDef delivery_members[] = {
    {"channel", T_OBJECT_EX, offsetof(Delivery, channel), 0, NULL},
    {"priority", T_LONGLONG, offsetof(Delivery, priority), 0, NULL},
    {"namespace_sequence", T_ULONGLONG, offsetof(Delivery, number), 0, NULL},
    {"_attempt", T_UINT, offsetof(Delivery, attempt), 0, NULL},
    {"_types", T_USHORT, offsetof(Delivery, types), 0, NULL},
    {"_subscription", T_OBJECT, offsetof(Delivery, subscription), 0, NULL},
    {"_payload", T_OBJECT, offsetof(Delivery, value), 0, NULL},
    {"_meta", T_OBJECT, offsetof(Delivery, meta), 0, NULL},
    {"_settled", T_BOOL, offsetof(Delivery, settled), 0, NULL},
    {NULL},
};

static PyGetSetDef delivery_getset[] = {
    {"_about", (getter)delivery_about, NULL, NULL, NULL},
    {"_payload_bytes", (getter)delivery_payload_bytes, NULL, NULL, NULL},
    {"_meta_bytes", (getter)delivery_meta_bytes, NULL, NULL, NULL},
    {NULL},
};

static PyType_Slot delivery_slots[] = {
    {Py_tp_doc, "The fields of a message: see message.py."},
    {Py_tp_new, delivery_new},
    {Py_tp_dealloc, delivery_dealloc},
    {Py_tp_members, delivery_members},
    {Py_tp_getset, delivery_getset},
    {0, NULL},
};

static PyType_Spec delivery_spec = {
    "neuralcore._bus._fast.Delivery",
    offsetof(Delivery, bytes),
    1,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    delivery_slots,
};

/* ------------------------------------------------------------------ inboxes */

/* A queue: so many from a place in a ring of 2^n. */
typedef struct {
    long long priority;
    Delivery **ring;
    Py_ssize_t room;
    Py_ssize_t first;
    Py_ssize_t count;
} Queue;

struct Schedule;

typedef struct {
    PyObject_HEAD
    PyObject *subscription;
    PyObject *handler;
    PyObject *ack; /* None if there is nothing to be told when a handler has returned */
    struct Schedule *schedule;
    Queue *queues; /* the most urgent last */
    Py_ssize_t queue_count;
    Py_ssize_t queue_room;
    Delivery **spare; /* a ring that is not used */
    Py_ssize_t spare_room;
    Py_ssize_t size;
    long concurrency;
    long running;
    long long received;
    long long handled;
    long window; /* of credit */
    long owed;   /* messages handled of which the subscription has not been told */
    double told_at;
    Py_ssize_t place; /* in its schedule: in the heap, NOWHERE, or below that in the line */
    char only_calls;
    char marks; /* messages with their subscription */
    char cancelled;
    char touched; /* in the turn under way */
} Inbox;

/* Where an inbox stands in the schedule, and the message that it would handle next. */
typedef struct {
    long long priority;
    unsigned long long number;
    unsigned long long tie;
    Inbox *inbox;
} Place;

#define NOWHERE (-1)
#define IN_LINE(index) (-2 - (index)) /* and its own inverse */

/* Whose message comes behind those of all in the line queues up there, which is one step; so most do,
 * for the daemon sends in this order. The others are in a heap. What inboxes are compared by lies
 * here, one after the other: with thousands of them, to look at one is to wait for memory.
 */
typedef struct Schedule {
    PyObject_HEAD
    PyObject *wake;
    Place *heap;
    Py_ssize_t count;
    Py_ssize_t room;
    Place *line; /* a ring of 2^n; who has left it is NULL there */
    Py_ssize_t line_room;
    Py_ssize_t line_first; /* these two only grow */
    Py_ssize_t line_end;
    Inbox **touched;
    Py_ssize_t touched_count;
    Py_ssize_t touched_room;
    unsigned long long ties;
    Py_ssize_t waiting;
    Py_ssize_t running;
    char to_wake;
} Schedule;

static void schedule_offer(Schedule *self, Inbox *inbox);
static void schedule_remove(Schedule *self, Inbox *inbox);

static inline Queue *first_queue(Inbox *self) {
    return self->queue_count > 0 ? &self->queues[self->queue_count - 1] : NULL;
}

static inline Delivery *first_message(Inbox *self) {
    Queue *queue = first_queue(self);
    return queue == NULL ? NULL : queue->ring[queue->first];
}

/* Room for one more in an array; -1 with an error. */
static int make_room(void **array, Py_ssize_t count, Py_ssize_t *room, size_t bytes) {
    if (count < *room) {
        return 0;
    }
    Py_ssize_t more = *room > 0 ? 2 * *room : 4;
    void *grown = PyMem_Realloc(*array, (size_t)more * bytes);
    if (grown == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *array = grown;
    *room = more;
    return 0;
}

static int queue_grow(Queue *queue) {
    Py_ssize_t room = queue->room > 0 ? 2 * queue->room : 8;
    Delivery **ring = PyMem_Malloc((size_t)room * sizeof(Delivery *));
    if (ring == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < queue->count; i++) {
        ring[i] = queue->ring[(queue->first + i) & (queue->room - 1)];
    }
    PyMem_Free(queue->ring);
    queue->ring = ring;
    queue->room = room;
    queue->first = 0;
    return 0;
}

/* The queue of a priority, made if there is none; NULL with an error. */
static Queue *queue_of(Inbox *self, long long priority) {
    Py_ssize_t low = 0, high = self->queue_count;
    while (low < high) { /* Urgent ones are behind. */
        Py_ssize_t middle = (low + high) / 2;
        if (self->queues[middle].priority > priority) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < self->queue_count && self->queues[low].priority == priority) {
        return &self->queues[low];
    }
    if (make_room((void **)&self->queues, self->queue_count, &self->queue_room, sizeof(Queue)) < 0) {
        return NULL;
    }
    Queue made = {.priority = priority, .ring = self->spare, .room = self->spare_room};
    if (made.ring == NULL && queue_grow(&made) < 0) {
        return NULL;
    }
    self->spare = NULL;
    self->spare_room = 0;
    memmove(&self->queues[low + 1], &self->queues[low], (size_t)(self->queue_count - low) * sizeof(Queue));
    self->queues[low] = made;
    self->queue_count++;
    return &self->queues[low];
}

static void drop_first_queue(Inbox *self) {
    Queue *queue = first_queue(self);
    if (self->spare_room < queue->room && queue->room <= 1024) {
        PyMem_Free(self->spare);
        self->spare = queue->ring;
        self->spare_room = queue->room;
    } else {
        PyMem_Free(queue->ring);
    }
    self->queue_count--;
}

/* Takes a message in; -1 with an error. */
static int inbox_push(Inbox *self, Delivery *message) {
    if (self->cancelled) {
        return 0;
    }
    Queue *queue = queue_of(self, message->attempt & REPLAYED ? LLONG_MIN : message->priority);
    if (queue == NULL || (queue->count == queue->room && queue_grow(queue) < 0)) {
        return -1;
    }
    queue->ring[(queue->first + queue->count) & (queue->room - 1)] = (Delivery *)Py_NewRef((PyObject *)message);
    queue->count++;
    self->size++;
    Schedule *schedule = self->schedule;
    if (schedule != NULL) {
        schedule->waiting++;
        if (queue->count == 1 && queue == first_queue(self)) {
            schedule_offer(schedule, self);
        }
    }
    return 0;
}

/* The most urgent message, the first come of its priority; NULL if there is none. */
static Delivery *inbox_take(Inbox *self) {
    Queue *queue = first_queue(self);
    if (queue == NULL) {
        return NULL;
    }
    Delivery *message = queue->ring[queue->first];
    queue->first = (queue->first + 1) & (queue->room - 1);
    queue->count--;
    self->size--;
    if (queue->count == 0) {
        drop_first_queue(self);
    }
    return message;
}

static void inbox_drop_all(Inbox *self) {
    Delivery *message;
    while ((message = inbox_take(self)) != NULL) {
        Py_DECREF(message);
    }
}

/* What waits for a cancelled subscription is dropped. */
static void inbox_forget(Inbox *self) {
    Schedule *schedule = self->schedule;
    if (schedule != NULL) {
        schedule->waiting -= self->size < schedule->waiting ? self->size : schedule->waiting;
        schedule_remove(schedule, self);
    }
    inbox_drop_all(self);
}

/* Inbox(subscription, schedule or None, handler, ack or None, concurrency, only_calls, marks, window) */
static int inbox_init(Inbox *self, PyObject *args, PyObject *kwargs) {
    PyObject *subscription, *schedule, *handler, *ack;
    int only_calls, marks;
    if (!PyArg_ParseTuple(args, "OOOOlppl", &subscription, &schedule, &handler, &ack, &self->concurrency,
                          &only_calls, &marks, &self->window)) {
        return -1;
    }
    Py_XSETREF(self->subscription, Py_NewRef(subscription));
    Py_XSETREF(self->handler, Py_NewRef(handler));
    Py_XSETREF(self->ack, Py_NewRef(ack));
    Py_XSETREF(self->schedule, schedule == Py_None ? NULL : (Schedule *)Py_NewRef(schedule));
    self->only_calls = (char)only_calls;
    self->marks = (char)marks;
    self->place = NOWHERE;
    return 0;
}

static int inbox_traverse(Inbox *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->subscription);
    Py_VISIT(self->handler);
    Py_VISIT(self->ack);
    Py_VISIT(self->schedule);
    return 0;
}

static int inbox_clear_references(Inbox *self) {
    Py_CLEAR(self->subscription);
    Py_CLEAR(self->handler);
    Py_CLEAR(self->ack);
    Py_CLEAR(self->schedule);
    return 0;
}

static void inbox_dealloc(Inbox *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    inbox_drop_all(self); /* The schedule holds those that it has; this is none of them. */
    PyMem_Free(self->queues);
    PyMem_Free(self->spare);
    inbox_clear_references(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* deliver(messages), for what does not come in a frame */
static PyObject *inbox_call(Inbox *self, PyObject *args, PyObject *kwargs) {
    PyObject *messages;
    if (!PyArg_ParseTuple(args, "O", &messages)) {
        return NULL;
    }
    return PyObject_CallMethod(self->subscription, "deliver", "(O)", messages);
}

/* extend(messages) */
static PyObject *inbox_extend(Inbox *self, PyObject *messages) {
    PyObject *all = PySequence_Fast(messages, "messages are needed");
    if (all == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(all); i++) {
        PyObject *message = PySequence_Fast_GET_ITEM(all, i);
        if (!PyObject_TypeCheck(message, delivery_type)) {
            PyErr_Format(PyExc_TypeError, "%R is no message", message);
        } else {
            inbox_push(self, (Delivery *)message);
        }
        if (PyErr_Occurred()) {
            Py_DECREF(all);
            return NULL;
        }
    }
    Py_DECREF(all);
    Py_RETURN_NONE;
}

static PyObject *inbox_pop(Inbox *self, PyObject *unused) {
    Delivery *message = inbox_take(self);
    if (message == NULL) {
        PyErr_SetString(PyExc_IndexError, "nothing waits");
    }
    return (PyObject *)message;
}

static PyObject *inbox_clear(Inbox *self, PyObject *unused) {
    inbox_forget(self);
    Py_RETURN_NONE;
}

static PyMethodDef inbox_methods[] = {
    {"extend", (PyCFunction)inbox_extend, METH_O, "extend(messages)\n--\n\nTakes them in."},
    {"pop", (PyCFunction)inbox_pop, METH_NOARGS, "pop()\n--\n\nThe most urgent message."},
    {"clear", (PyCFunction)inbox_clear, METH_NOARGS, "clear()\n--\n\nDrops what waits."},
    {NULL},
};

static PyMemberDef inbox_members[] = {
    {"size", T_PYSSIZET, offsetof(Inbox, size), READONLY, "how many messages wait"},
    {"running", T_LONG, offsetof(Inbox, running), 0, "how many are being handled"},
    {"received", T_LONGLONG, offsetof(Inbox, received), 0, "how many have come"},
    {"handled", T_LONGLONG, offsetof(Inbox, handled), 0, "how many handlers have returned"},
    {"window", T_LONG, offsetof(Inbox, window), 0, "the credit of the subscription"},
    {"owed", T_LONG, offsetof(Inbox, owed), 0, "messages handled that the subscription was not told of"},
    {"cancelled", T_BOOL, offsetof(Inbox, cancelled), 0, "whether nothing is handled any more"},
    {NULL},
};

static PyType_Slot inbox_slots[] = {
    {Py_tp_doc, "What waits for one subscription: see inbox.py. Calling it is deliver(messages)."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, inbox_init},
    {Py_tp_call, inbox_call},
    {Py_tp_traverse, inbox_traverse},
    {Py_tp_clear, inbox_clear_references},
    {Py_tp_dealloc, inbox_dealloc},
    {Py_tp_methods, inbox_methods},
    {Py_tp_members, inbox_members},
    {0, NULL},
};

static PyType_Spec inbox_spec = {
    "neuralcore._bus._fast.Inbox", sizeof(Inbox), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, inbox_slots,
};

static PyTypeObject *inbox_type;

/* ------------------------------------------------------------------ the schedule */

static inline int is_before(const Place *one, const Place *other) {
    if (one->priority != other->priority) {
        return one->priority < other->priority;
    }
    return one->number != other->number ? one->number < other->number : one->tie < other->tie;
}

static inline void heap_set(Schedule *self, Py_ssize_t at, const Place *place) {
    self->heap[at] = *place;
    place->inbox->place = at;
}

/* Puts what is to be in the heap where it belongs, from a place there that is free. */
static void heap_settle(Schedule *self, Py_ssize_t at, Place place) {
    while (at > 0) {
        Py_ssize_t above = (at - 1) / 2;
        if (!is_before(&place, &self->heap[above])) {
            break;
        }
        heap_set(self, at, &self->heap[above]);
        at = above;
    }
    while (2 * at + 1 < self->count) {
        Py_ssize_t below = 2 * at + 1;
        if (below + 1 < self->count && is_before(&self->heap[below + 1], &self->heap[below])) {
            below++;
        }
        if (!is_before(&self->heap[below], &place)) {
            break;
        }
        heap_set(self, at, &self->heap[below]);
        at = below;
    }
    heap_set(self, at, &place);
}

static inline Place *line_at(Schedule *self, Py_ssize_t index) {
    return &self->line[index & (self->line_room - 1)];
}

static int line_grow(Schedule *self) {
    Py_ssize_t room = self->line_room > 0 ? 2 * self->line_room : 8;
    Place *line = PyMem_Malloc((size_t)room * sizeof(Place));
    if (line == NULL) {
        return -1;
    }
    for (Py_ssize_t i = self->line_first; i < self->line_end; i++) {
        line[i & (room - 1)] = *line_at(self, i);
    }
    PyMem_Free(self->line);
    self->line = line;
    self->line_room = room;
    return 0;
}

/* Somebody leaves the line. Both its ends are somebody's, so that what is empty between does not add up. */
static void line_leave(Schedule *self, Inbox *inbox) {
    line_at(self, IN_LINE(inbox->place))->inbox = NULL;
    inbox->place = NOWHERE;
    while (self->line_first < self->line_end && line_at(self, self->line_first)->inbox == NULL) {
        self->line_first++;
    }
    while (self->line_first < self->line_end && line_at(self, self->line_end - 1)->inbox == NULL) {
        self->line_end--;
    }
}

/* Queues up who belongs behind all in the line: 1 if so. */
static int line_join(Schedule *self, const Place *place) {
    if (self->line_first < self->line_end && is_before(place, line_at(self, self->line_end - 1))) {
        return 0;
    }
    if (self->line_end - self->line_first == self->line_room && line_grow(self) < 0) {
        return 0;
    }
    place->inbox->place = IN_LINE(self->line_end);
    *line_at(self, self->line_end++) = *place;
    return 1;
}

static void schedule_remove(Schedule *self, Inbox *inbox) {
    Py_ssize_t at = inbox->place;
    if (at == NOWHERE) {
        return;
    }
    if (at < 0) {
        line_leave(self, inbox);
    } else {
        inbox->place = NOWHERE;
        Place last = self->heap[--self->count];
        if (last.inbox != inbox) {
            heap_settle(self, at, last);
        }
    }
    Py_DECREF(inbox);
}

/* Gives an inbox its place by the message that it would handle next. */
static void schedule_offer(Schedule *self, Inbox *inbox) {
    Delivery *message = first_message(inbox);
    if (message == NULL || inbox->running >= inbox->concurrency) {
        schedule_remove(self, inbox);
        return;
    }
    Py_ssize_t at = inbox->place;
    if (at != NOWHERE) {
        const Place *now = at < 0 ? line_at(self, IN_LINE(at)) : &self->heap[at];
        if (now->priority == message->priority && now->number == message->number) {
            return;
        }
    }
    Place place = {message->priority, message->number, self->ties++, inbox};
    if (at >= 0) {
        heap_settle(self, at, place);
        return;
    }
    if (at == NOWHERE) {
        Py_INCREF(inbox);
    } else {
        line_leave(self, inbox);
    }
    if (line_join(self, &place)) {
        return;
    }
    if (make_room((void **)&self->heap, self->count, &self->room, sizeof(Place)) < 0) {
        PyErr_Clear(); /* It is offered again with its next message. */
        Py_DECREF(inbox);
        return;
    }
    heap_settle(self, self->count++, place);
}

/* The inbox with the most urgent message, borrowed, whether it is cancelled or not; NULL if there is none. */
static Inbox *schedule_head(Schedule *self) {
    const Place *heap = self->count > 0 ? &self->heap[0] : NULL;
    const Place *line = self->line_first < self->line_end ? line_at(self, self->line_first) : NULL;
    if (heap == NULL || line == NULL) {
        return heap != NULL ? heap->inbox : line != NULL ? line->inbox : NULL;
    }
    return is_before(heap, line) ? heap->inbox : line->inbox;
}

/* The inbox whose turn it is, borrowed; NULL if nothing waits. */
static Inbox *schedule_first(Schedule *self) {
    Inbox *inbox;
    while ((inbox = schedule_head(self)) != NULL && inbox->cancelled) {
        Py_INCREF(inbox);
        inbox_forget(inbox);
        Py_DECREF(inbox);
    }
    return inbox;
}

static void schedule_begin_with(Schedule *self, Inbox *inbox) {
    inbox->running++;
    self->running++;
    schedule_offer(self, inbox);
}

static void schedule_end_with(Schedule *self, Inbox *inbox) {
    inbox->running--;
    self->running--;
    if (inbox->cancelled) {
        inbox_forget(inbox);
    } else {
        schedule_offer(self, inbox);
    }
}

static void schedule_took_some(Schedule *self, Py_ssize_t messages) {
    self->waiting -= messages < self->waiting ? messages : self->waiting;
}

#endif
