# SPDX-License-Identifier: MIT
# Options that keep the compiler to the arithmetic of docs/numerics.md, whatever CFLAGS, a toolchain or a larger project
# asked for: options of a directory come after those, and the last one counts. src/base/arithmetic.h refuses what is
# left. Sets MMARN_X86_64 when that is what the compiler makes code for, which need not be what CMake runs on.
include(CheckCCompilerFlag)
include(CheckSymbolExists)
check_symbol_exists(__x86_64__ stddef.h MMARN_X86_64)
check_symbol_exists(__i386__ stddef.h MMARN_I386)

# A multiply-add is fused where the source says fmaf, nowhere else.
set(mmarn_arithmetic -fno-fast-math -fno-unsafe-math-optimizations -fno-associative-math -fno-reciprocal-math
                     -fno-finite-math-only -fsigned-zeros -ffp-contract=off)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list(APPEND mmarn_arithmetic -fno-single-precision-constant)
elseif(CMAKE_C_COMPILER_ID MATCHES "Clang")
    list(APPEND mmarn_arithmetic -fdenormal-fp-math=ieee)
endif()
# The x87 unit rounds to more digits than a float has.
if(MMARN_I386)
    list(APPEND mmarn_arithmetic -msse2)
endif()
if(MMARN_I386 OR MMARN_X86_64)
    list(APPEND mmarn_arithmetic -mfpmath=sse)
endif()
add_compile_options(${mmarn_arithmetic})

# With these the driver links start-up code that turns on flush-to-zero for the whole process.
add_link_options(-fno-fast-math -fno-unsafe-math-optimizations)
check_c_compiler_flag(-mno-daz-ftz MMARN_HAS_NO_DAZ_FTZ)
if(MMARN_HAS_NO_DAZ_FTZ)
    add_link_options(-mno-daz-ftz)
endif()
foreach(flags CMAKE_C_FLAGS CMAKE_C_FLAGS_${CMAKE_BUILD_TYPE})
    string(TOUPPER ${flags} flags)
    string(REGEX REPLACE "-Ofast" "-O3" ${flags} "${${flags}}")
endforeach()
