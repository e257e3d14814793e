package io.ambo.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code ambo.jvm.options} in the parent pom, with which tests run as nodes do: README, A JVM on a data path. */
class JvmOptionsTest {
    private final HotSpotDiagnosticMXBean jvm = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);

    @ParameterizedTest
    @CsvSource({
            // No branch is given up: packets would take it in the interpreter from then on.
            "PerMethodRecompilationCutoff, -1",
            "PerBytecodeRecompilationCutoff, -1",
            // A compiler thread that is started later would inherit a packet thread's priority.
            "UseDynamicNumberOfCompilerThreads, false" })
    void aNodeRunsWith(String option, String value) { assertThat(jvm.getVMOption(option).getValue()).isEqualTo(value); }
}
