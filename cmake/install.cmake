# SPDX-License-Identifier: MIT
# What `cmake --install` copies: header, libraries, and the files by which CMake and pkg-config find them. Everything
# in it is relative to where it lies, so an installed tree may be moved. The command's folder installs the command.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mmarn)

install(DIRECTORY include/mmarn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# Two export files, because only the static library makes its users find threads.
install(TARGETS mmarn EXPORT mmarnTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS mmarn_static EXPORT mmarnStaticTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(export mmarnTargets mmarnStaticTargets)
    install(EXPORT ${export} NAMESPACE mmarn:: DESTINATION ${package_dir})
endforeach()

configure_package_config_file(cmake/mmarnConfig.cmake.in ${PROJECT_BINARY_DIR}/mmarnConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# As the soname has it.
set(compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(compatibility SameMinorVersion)
endif()
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mmarnConfigVersion.cmake COMPATIBILITY ${compatibility})
install(FILES ${PROJECT_BINARY_DIR}/mmarnConfig.cmake ${PROJECT_BINARY_DIR}/mmarnConfigVersion.cmake
        DESTINATION ${package_dir})

file(RELATIVE_PATH MMARN_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" MMARN_PC_PREFIX "${MMARN_PC_PREFIX}")
file(RELATIVE_PATH MMARN_PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(cmake/mmarn.pc.in ${PROJECT_BINARY_DIR}/mmarn.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mmarn.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
