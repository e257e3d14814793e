package io.ambo.node.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.address.IpAddress;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CidrTest {
    @ParameterizedTest
    @CsvSource({ "10.0.0.0/8, 10.255.0.1, true", "10.0.0.0/8, 11.0.0.1, false", "0.0.0.0/0, 203.0.113.9, true",
            "0.0.0.0/0, 2001:db8::1, false",
            "::/0, 2001:db8::1, true", "2001:db8::/32, 2001:db8:ffff::1, true", "2001:db8::/65, 2001:db8::8000:0:0:1, false",
            "192.0.2.7, 192.0.2.7, true", "192.0.2.7, 192.0.2.6, false", "2001:db8::1/128, 2001:db8::1, true" })
    void aNetworkContainsItsAddresses(String network, String address, boolean contained) throws Cidr.FormatException {
        IpAddress parsed = Objects.requireNonNull(IpAddress.parse(address));
        assertThat(Cidr.parse(network).contains(parsed.high(), parsed.low())).isEqualTo(contained);
    }

    @ParameterizedTest
    @CsvSource({ "10.0.0.0/8, 10.0.0.0/8", "192.0.2.7, 192.0.2.7/32", "2001:DB8:0::/48, 2001:db8::/48", "::/0, ::/0",
            "0.0.0.0/0, 0.0.0.0/0" })
    void aNetworkIsWrittenAsItIsRead(String text, String written) throws Cidr.FormatException {
        assertThat(Cidr.parse(text)).hasToString(written);
    }

    @ParameterizedTest
    @CsvSource({ "10.1.0.1, true", "10.9.0.1, false", "11.0.0.1, false" })
    void whatIsExcludedDoesNotMatch(String address, boolean matching) throws Cidr.FormatException {
        AddressMatch match = new AddressMatch(List.of(Cidr.parse("10.0.0.0/8")), List.of(Cidr.parse("10.9.0.0/16")));
        IpAddress parsed = Objects.requireNonNull(IpAddress.parse(address));
        assertThat(match.matches(parsed.high(), parsed.low())).isEqualTo(matching);
    }
}
