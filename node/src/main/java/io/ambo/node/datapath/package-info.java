@NullMarked
package io.ambo.node.datapath;

import org.jspecify.annotations.NullMarked;
