@NullMarked
package io.ambo.node.firewall;

import org.jspecify.annotations.NullMarked;
