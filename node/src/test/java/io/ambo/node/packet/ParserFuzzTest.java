package io.ambo.node.packet;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Any bytes as a frame. Ordinary runs go through the samples;
 * {@code JAZZER_FUZZ=1 mvn -pl node -am test -Dtest=ParserFuzzTest -Dsurefire.failIfNoSpecifiedTests=false -Djazzer.hooks=true} searches for more, guided by
 * coverage, until something fails or its time is over.
 */
final class ParserFuzzTest {

    static Stream<Arguments> samples() { return Samples.all().values().stream().map(Arguments::arguments); }

    @MethodSource("samples")
    @FuzzTest(maxDuration = "1m")
    void theParserReadsNothingOutsideOfTheFrame(byte[] frame) {
        Guarded.parse(frame);
        byte[] fixed = frame.clone();
        ParserPropertyTest.fixIpChecksum(fixed);
        Guarded.parse(fixed);
    }
}
