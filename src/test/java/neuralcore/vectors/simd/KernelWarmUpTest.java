package neuralcore.vectors.simd;

import static org.assertj.core.api.Assertions.assertThatNoException;

import org.junit.jupiter.api.Test;

class KernelWarmUpTest {

    @Test
    void runsAllKindsOfKernels() {
        assertThatNoException().isThrownBy(() -> KernelWarmUp.run(KernelProvider.scalar()));
        assertThatNoException().isThrownBy(() -> KernelWarmUp.run(KernelProvider.kernels()));
    }
}
