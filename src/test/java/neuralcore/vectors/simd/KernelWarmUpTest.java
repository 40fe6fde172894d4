package neuralcore.vectors.simd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatNoException;

import org.junit.jupiter.api.Test;

class KernelWarmUpTest {
    private static final long MANY = 1 << 20;

    @Test
    void runsAllKindsOfKernels() {
        assertThatNoException().isThrownBy(() -> KernelWarmUp.run(KernelProvider.scalar()));
        assertThatNoException().isThrownBy(() -> KernelWarmUp.run(KernelProvider.kernels()));
    }

    @Test
    void scansDoWithPlainLoopsUntilKernelsAreRunIn() {
        Kernels kernels = KernelProvider.kernels();
        assertThat(KernelWarmUp.forScan(kernels, MANY)).isSameAs(kernels);
        KernelWarmUp.announce();
        assertThat(KernelWarmUp.forScan(kernels, MANY).name()).isEqualTo("scalar");
        assertThat(KernelWarmUp.forScan(kernels, MANY - 1)).isSameAs(kernels);
        KernelWarmUp.run(kernels);
        assertThat(KernelWarmUp.forScan(kernels, MANY)).isSameAs(kernels);
    }

    @Test
    void whoScansOnGetsKernelsThatNobodyHasRunIn() {
        Kernels kernels = KernelProvider.kernels();
        KernelWarmUp.announce();
        int plain = 0;
        while (KernelWarmUp.forScan(kernels, MANY) != kernels) {
            plain++;
        }
        assertThat(plain).isBetween(10, 1_000);
    }
}
