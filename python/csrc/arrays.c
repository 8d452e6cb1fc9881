/* SPDX-License-Identifier: MIT */
/* arrays.c - an object of Python as a tensor: which way its memory is handed out, and what is refused. */
#include "arrays.h"

#include "buffers.h"
#include "errors.h"
#include "frameworks.h"
#include "gate.h"

static const struct {
    uint8_t code, bits;
    mmarn_dtype dtype;
} dtypes[] = {
    {DLPACK_FLOAT, 16, MMARN_F16}, {DLPACK_BFLOAT, 16, MMARN_BF16}, {DLPACK_FLOAT, 32, MMARN_F32},
    {DLPACK_INT, 8, MMARN_I8},     {DLPACK_INT, 32, MMARN_I32},     {DLPACK_INT, 64, MMARN_I64},
    {DLPACK_UINT, 64, MMARN_U64},
};

/* What is being read: everything a refusal may name. */
struct reading {
    PyObject *object;
    const char *name;
    enum array_use use;
    mmarn_dtype as; /* nonzero: the bits are of this type, whatever the exporter calls them */
    struct array *array;
};

/* --------------------------------------------------------------------------------------- from DLPack's tensor */

static int32_t dtype_of(const struct reading *reading, DLDataType dtype)
{
    if (reading->as)
        return reading->as;
    if (reading->use == ARRAY_NIBBLES)
        return dtype.bits == 8 && dtype.lanes == 1 && dtype.code <= DLPACK_UINT ? MMARN_I4 : 0;
    for (Py_ssize_t i = 0; i < LENGTH(dtypes) && dtype.lanes == 1; i++)
        if (dtypes[i].code == dtype.code && dtypes[i].bits == dtype.bits)
            return dtypes[i].dtype;
    return 0;
}

static bool refuse_dtype(const struct reading *reading)
{
    PyObject *dtype = PyObject_GetAttr(reading->object, names[NAME_DTYPE]);
    const char *allowed = reading->use == ARRAY_NIBBLES ? "with x2_dtype 'int4' it must be int8 or uint8"
                                                        : "it must be float16, bfloat16, float32, int8, int32, int64 "
                                                          "or uint64";
    if (dtype)
        PyErr_Format(PyExc_TypeError, "%s is %S; %s", reading->name, dtype, allowed);
    else
        PyErr_Format(PyExc_TypeError, "%s has a dtype that mmarn does not know; %s", reading->name, allowed);
    Py_XDECREF(dtype);
    return false;
}

/* Bytes become elements on the axis along which they lie side by side: the last, unless only another can be. */
static void split_bytes(mmarn_tensor *tensor)
{
    int packed = tensor->ndim - 1;
    if (tensor->ndim == 2 && tensor->strides[1] != 1 && tensor->strides[0] == 1)
        packed = 0;
    else if (tensor->ndim == 2 && tensor->shape[0] == 1 && tensor->strides[0] == 1 && tensor->shape[1] > 1)
        packed = 0;
    for (int axis = 0; axis < tensor->ndim; axis++)
        if (axis == packed)
            tensor->shape[axis] *= 2;
        else
            tensor->strides[axis] *= 2;
}

/* Strides of an array without elements can be anything, so they are made those of a compact one. */
static void copy_axes(mmarn_tensor *tensor, const DLTensor *from)
{
    bool compact = !from->strides;
    for (int i = 0; i < from->ndim; i++)
        compact = compact || from->shape[i] == 0;
    uint64_t stride = 1; /* a shape too large for any memory is refused by the library; its strides may wrap */
    for (int i = from->ndim - 1; i >= 0; i--) {
        tensor->shape[i] = from->shape[i];
        tensor->strides[i] = compact ? (int64_t)stride : from->strides[i];
        stride *= (uint64_t)from->shape[i];
    }
}

/* Is there memory for the elements, at an address at which they can be read? */
static bool check_memory(const struct reading *reading, const DLTensor *from, const void *data)
{
    bool elements = true;
    for (int i = 0; i < from->ndim; i++) {
        if (!from->shape || from->shape[i] < 0) {
            PyErr_Format(PyExc_ValueError, "%s has a shape that no array can have", reading->name);
            return false;
        }
        elements = elements && from->shape[i] > 0;
    }
    if (!elements)
        return true;
    if (!data)
        PyErr_Format(PyExc_ValueError, "%s has elements but no memory", reading->name);
    else if ((uintptr_t)data % (from->dtype.bits / 8u))
        PyErr_Format(PyExc_TypeError,
                     "%s begins at an address that is no multiple of its elements' %d bytes; pass a copy",
                     reading->name, from->dtype.bits / 8);
    else
        return true;
    return false;
}

static bool fill(const struct reading *reading, const DLTensor *from)
{
    mmarn_tensor *tensor = &reading->array->tensor;
    int32_t dtype = dtype_of(reading, from->dtype);
    if (from->device.device_type != DLPACK_CPU) {
        PyErr_Format(PyExc_TypeError, "%s lies on device type %d of DLPack's, but mmarn works on the CPU (1)",
                     reading->name, (int)from->device.device_type);
        return false;
    }
    if (!dtype)
        return refuse_dtype(reading);
    if (from->ndim < 0 || from->ndim > MMARN_MAX_NDIM) {
        PyErr_Format(PyExc_ValueError, "%s has %d axes; no tensor may have more than %d", reading->name,
                     (int)from->ndim, MMARN_MAX_NDIM);
        return false;
    }
    *tensor = (mmarn_tensor){.dtype = dtype, .ndim = from->ndim};
    tensor->data = from->data ? (char *)from->data + from->byte_offset : NULL;
    if (!check_memory(reading, from, tensor->data))
        return false;
    copy_axes(tensor, from);
    if (reading->use == ARRAY_NIBBLES)
        split_bytes(tensor);
    return true;
}

/* ----------------------------------------------------------------------------------------------- by capsule */

/* object.__dlpack__(max_version=(1, 3)), or without the argument where it is not known. */
static PyObject *export_capsule(PyObject *object)
{
    static PyObject *none, *newest; /* positional and keyword arguments, made once */
    if (!newest) {
        none = PyTuple_New(0);
        newest = Py_BuildValue("{s:(ii)}", "max_version", DLPACK_MAJOR, DLPACK_MINOR);
    }
    PyObject *method = newest ? PyObject_GetAttr(object, names[NAME_DLPACK]) : NULL;
    PyObject *capsule = method ? PyObject_Call(method, none, newest) : NULL;
    if (method && !capsule && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        capsule = PyObject_CallFunctionObjArgs(method, NULL);
    }
    Py_XDECREF(method);
    return capsule;
}

static bool refuse_read_only(const struct reading *reading)
{
    PyErr_Format(PyExc_ValueError, "%s is read-only, so nothing can be written to it", reading->name);
    return false;
}

/* The tensor in a capsule, which stays its owner. */
static const DLTensor *look_into(const struct reading *reading, PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, "dltensor"))
        return &((DLManagedTensor *)PyCapsule_GetPointer(capsule, "dltensor"))->dl_tensor;
    if (!PyCapsule_IsValid(capsule, "dltensor_versioned")) {
        PyErr_Format(PyExc_TypeError, "%s gives no DLPack capsule but a %R", reading->name, Py_TYPE(capsule));
        return NULL;
    }
    const DLManagedTensorVersioned *managed = PyCapsule_GetPointer(capsule, "dltensor_versioned");
    if (managed->version.major != DLPACK_MAJOR) {
        PyErr_Format(PyExc_TypeError, "%s speaks version %u of DLPack but mmarn knows version %d", reading->name,
                     (unsigned)managed->version.major, DLPACK_MAJOR);
        return NULL;
    }
    if (reading->use == ARRAY_WRITE && managed->flags & DLPACK_READ_ONLY) {
        refuse_read_only(reading);
        return NULL;
    }
    if (reading->use == ARRAY_WRITE && managed->flags & DLPACK_IS_COPIED) {
        PyErr_Format(PyExc_ValueError, "%s gives a copy of its memory, so nothing can be written to it", reading->name);
        return NULL;
    }
    return &managed->dl_tensor;
}

static bool read_capsule(const struct reading *reading, PyObject *capsule)
{
    const DLTensor *tensor = look_into(reading, capsule);
    if (!tensor || !fill(reading, tensor)) {
        Py_DECREF(capsule);
        return false;
    }
    reading->array->owner = capsule;
    return true;
}

static bool attribute_is(PyObject *object, enum name attribute, const char *text)
{
    PyObject *value = PyObject_GetAttr(object, names[attribute]);
    bool is = value && PyUnicode_Check(value) && PyUnicode_CompareWithASCIIString(value, text) == 0;
    Py_XDECREF(value);
    return is;
}

/* NumPy exports no bfloat16, which it has from ml_dtypes; its bits can be exported. True: it is such an array. */
static bool is_numpy_bfloat16(PyObject *object)
{
    enum { FIRST_FOREIGN = 256 }; /* NumPy numbers the types that others add from here on; names are slow to ask for */
    PyObject *dtype = PyObject_GetAttr(object, names[NAME_DTYPE]);
    PyObject *number = dtype ? PyObject_GetAttr(dtype, names[NAME_NUM]) : NULL;
    bool is = number && PyLong_AsLong(number) >= FIRST_FOREIGN && attribute_is(dtype, NAME_NAME, "bfloat16");
    Py_XDECREF(number);
    Py_XDECREF(dtype);
    PyErr_Clear();
    return is;
}

static PyObject *bits_of(PyObject *object)
{
    static PyObject *uint16;
    if (!uint16)
        uint16 = frameworks_call(FRAMEWORKS_NUMPY_UINT16, NULL, NULL, NULL);
    return uint16 ? PyObject_CallMethodObjArgs(object, names[NAME_VIEW], uint16, NULL) : NULL;
}

/* After NumPy's __dlpack__ has failed. */
static bool read_buffer(const struct reading *reading, PyObject *object)
{
    DLTensor tensor;
    bool read_only;
    PyErr_Clear();
    const enum buffer found = buffer_open(object, &tensor, &read_only, &reading->array->owner);
    if (found == BUFFER_NONE)
        return refuse_dtype(reading);
    if (found == BUFFER_ODD_STRIDES)
        PyErr_Format(PyExc_TypeError, "%s has strides that are no multiples of its elements' size; pass a copy",
                     reading->name);
    else if (read_only && reading->use == ARRAY_WRITE)
        refuse_read_only(reading);
    else if (fill(reading, &tensor))
        return true;
    array_release(reading->array);
    return false;
}

static bool read_dlpack(struct reading *reading, const struct kind *kind)
{
    PyObject *bits = NULL, *done = NULL;
    if (kind->jax) { /* it may still be being computed */
        done = PyObject_CallMethodObjArgs(reading->object, names[NAME_BLOCK_UNTIL_READY], NULL);
        if (!done)
            return errors_explain(reading->name), false;
    } else if (kind->numpy && is_numpy_bfloat16(reading->object)) {
        bits = bits_of(reading->object);
        if (!bits)
            return errors_explain(reading->name), false;
        reading->as = MMARN_BF16;
    }
    PyObject *capsule = export_capsule(bits ? bits : reading->object);
    bool read = false;
    if (capsule)
        read = read_capsule(reading, capsule);
    else if (kind->numpy && PyErr_ExceptionMatches(PyExc_Exception))
        read = read_buffer(reading, bits ? bits : reading->object);
    else
        errors_explain(reading->name);
    Py_XDECREF(done);
    Py_XDECREF(bits);
    return read;
}

/* ------------------------------------------------------------------------------------------------ any array */

/* A tensor that requires grad exports nothing, so it is its detached twin that does. */
static bool read_torch(struct reading *reading, const struct kind *kind)
{
    PyObject *detached = PyObject_CallMethodObjArgs(reading->object, names[NAME_DETACH], NULL);
    PyObject *object = reading->object;
    reading->object = detached;
    bool read = detached && read_dlpack(reading, kind);
    reading->object = object;
    Py_XDECREF(detached);
    return read;
}

static bool read_any(struct reading *reading, const struct kind *kind)
{
    DLTensor tensor;
    if (!kind->exchange || reading->use == ARRAY_KEEP || reading->use == ARRAY_NIBBLES)
        return kind->torch ? read_torch(reading, kind) : read_dlpack(reading, kind);
    if (kind->exchange->dltensor_from_py_object_no_sync(reading->object, &tensor) == 0)
        return fill(reading, &tensor);
    errors_explain(reading->name);
    return false;
}

bool array_read(PyObject *object, const char *name, enum array_use use, struct array *array)
{
    struct reading reading = {object, name, use, 0, array};
    *array = (struct array){0};
    const struct kind kind = *kind_of(object);
    const bool admitted = gate_admits(object, name, use, &kind);
    if (admitted && read_any(&reading, &kind)) {
        const bool byte = array->tensor.dtype == MMARN_I8 || array->tensor.dtype == MMARN_I4;
        if (!byte || !kind.torch || gate_is_byte(object))
            return true;
        refuse_dtype(&reading);
        array_release(array);
    } else if (admitted && kind.torch) {
        gate_explains(object, name);
    }
    array->tensor = (mmarn_tensor){0};
    return false;
}

void array_release(struct array *array)
{
    Py_CLEAR(array->owner);
}
