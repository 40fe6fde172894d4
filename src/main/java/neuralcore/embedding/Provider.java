package neuralcore.embedding;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession.SessionOptions;
import ai.onnxruntime.providers.OrtCUDAProviderOptions;
import ai.onnxruntime.providers.OrtTensorRTProviderOptions;
import java.util.Locale;

/**
 * What networks are run on.
 *
 * @param kind the processor, or a way to a GPU
 * @param device number of the GPU
 * @param memoryBytes most memory that ONNX Runtime takes on it; 0 means no limit
 */
public record Provider(Kind kind, int device, long memoryBytes) {
    public static final Provider CPU = new Provider(Kind.CPU, 0, 0);

    /** A way to run networks. */
    public enum Kind {
        CPU,
        CUDA,
        TENSORRT;

        /** As it stands in settings and answers. */
        public String shown() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** The kind of this name, as it stands in settings. */
        public static Kind of(String name) {
            return valueOf(name.toUpperCase(Locale.ROOT));
        }
    }

    /** Asks for this provider; fails if ONNX Runtime's library was built without it. */
    void apply(SessionOptions options) throws OrtException {
        switch (kind) {
            case CPU -> {}
            case CUDA -> {
                try (OrtCUDAProviderOptions cuda = cuda()) {
                    options.addCUDA(cuda);
                }
            }
            case TENSORRT -> {
                try (OrtTensorRTProviderOptions tensorRt = new OrtTensorRTProviderOptions(device);
                        OrtCUDAProviderOptions rest = cuda()) {
                    if (memoryBytes > 0) {
                        tensorRt.add("trt_max_workspace_size", Long.toString(memoryBytes));
                    }
                    options.addTensorrt(tensorRt);
                    // What TensorRT does not know runs there, too.
                    options.addCUDA(rest);
                }
            }
        }
    }

    private OrtCUDAProviderOptions cuda() throws OrtException {
        OrtCUDAProviderOptions options = new OrtCUDAProviderOptions(device);
        if (memoryBytes > 0) {
            options.add("gpu_mem_limit", Long.toString(memoryBytes));
        }
        return options;
    }
}
